-- Single logins; who stands behind one is told by the classification.
SELECT "UserId", "LoginTime", "LoginType", "LoginSubType", "Application",
       CASE WHEN "Status" = 'Success' THEN 1 ELSE 0 END
FROM "login_history"
