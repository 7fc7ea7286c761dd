-- The record changes when a user is frozen or released, so a frozen one was frozen at least since then.
SELECT "UserId", "LastModifiedDate"
FROM "user_login"
WHERE "IsFrozen" = 1
