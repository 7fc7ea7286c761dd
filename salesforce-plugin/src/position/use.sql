-- Single logins; the classification says who stands behind one. Where no login at all has the one known
-- word for success, the words are others (a translation), and every login counts as one.
SELECT "UserId", "LoginTime", "LoginType", "LoginSubType", "Application",
       CASE WHEN "Status" = 'Success'
              OR NOT EXISTS (SELECT 1 FROM "login_history" WHERE "Status" = 'Success')
            THEN 1 ELSE 0 END
FROM "login_history"
