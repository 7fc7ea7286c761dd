SELECT "Id", "Name", "OrganizationType", "IsSandbox", "InstanceName"
FROM "organization"
