-- Successful logins by person and kind. Machines log in by client credentials, by password over an
-- API, or through an API client; everything else, refreshes of a person's app included, counts as
-- human: in doubt a seat is not reclaimed.
SELECT "UserId",
       CASE WHEN "LoginSubType" IN ('OauthClientCredentials', 'OauthUsernamePassword', 'SoapApiLogin', 'SoapApiLoginMobile')
              OR "LoginType" IN ('Other Apex API', 'Partner Product', 'DB Replication', 'DataJunction', 'Networks Portal API Only',
                                 'Certificate-based login', 'OtherApi', 'Partner')
            THEN 'machine' ELSE 'human' END AS "kind",
       MIN("LoginTime"), MAX("LoginTime"), COUNT(*)
FROM "login_history"
WHERE "Status" = 'Success'
GROUP BY "UserId", "kind"
