// Runs jsforce, unchanged, against a simulated org and compares with its truth.
//
// Usage: node jsforce_client.mjs READY_FILE TRUTH_FILE
// The authority's certificate comes from NODE_EXTRA_CA_CERTS; the proxy is given to jsforce
// with its own option, `httpProxy`.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import jsforce from 'jsforce';

const [ready, truth] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const host = `https://${ready.my_domain_host}`;
const httpProxy = ready.proxy_url;
let failed = 0;

/** Prints one line per comparison; the caller counts them. */
function check(name, got, wanted) {
  if (JSON.stringify(got) === JSON.stringify(wanted)) {
    console.log(`ok jsforce: ${name}`);
  } else {
    failed += 1;
    console.log(`FAIL jsforce: ${name}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
  }
}

/** The error an action ends with, or undefined. */
async function refused(action) {
  try {
    await action();
  } catch (error) {
    return error;
  }
  return undefined;
}

const oauth2 = {
  loginUrl: host,
  clientId: ready.client_id,
  clientSecret: ready.client_secret,
  redirectUri: ready.redirect_uri,
  httpProxy,
};
const connection = new jsforce.Connection({
  oauth2,
  instanceUrl: host,
  refreshToken: ready.refresh_token,
  // A token the org never gave: the first answer is 401, and jsforce has to refresh.
  accessToken: '00D000000000001!nothing',
  httpProxy,
  version: '60.0',
});
let refreshed = 0;
connection.on('refresh', () => {
  refreshed += 1;
});

const ids = [];
await new Promise((resolve, reject) => {
  connection
    .query('SELECT Id, Username, Profile.Name FROM User ORDER BY Id')
    .on('record', (person) => ids.push(person.Id))
    .on('end', resolve)
    .on('error', reject)
    .run({ autoFetch: true, maxFetch: 1_000_000 });
});
const { users } = truth;
check('one refresh was enough', refreshed, 1);
check('every user is read, page by page', ids.length, users.count);
check('no user is read twice', new Set(ids).size, ids.length);
check('the first user is the first', ids[0], users.first_id);
check('the last user is the last', ids.at(-1), users.last_id);
const digest = createHash('sha256').update(ids.join('\n')).digest('hex');
check('all ids agree, in order', digest, users.ids_sha256);

const active = await connection.query('SELECT COUNT() FROM User WHERE IsActive = true');
check('active users are counted', active.totalSize, truth.active_users);
const describe = await connection.describe('User');
check('User is described', [describe.name, describe.fields.some((field) => field.name === 'ProfileId')], ['User', true]);
const everything = await connection.describeGlobal();
check('objects are listed', everything.sobjects.some((object) => object.name === 'UserLicense'), true);
const limits = await connection.request('/services/data/v60.0/limits');
check('limits hold the daily requests', limits.DailyApiRequests.Max, 15_000);
check('the usage is known from the answers', connection.limitInfo.apiUsage.limit, 15_000);
const identity = await connection.identity();
check('the identity is that of the user', identity.username, ready.username);

const unknownField = await refused(() => connection.query('SELECT Id, NoSuchField FROM User'));
check('an unknown field is refused', unknownField?.errorCode, 'INVALID_FIELD');
const wrongSecret = new jsforce.OAuth2({ ...oauth2, clientSecret: 'wrong' });
const refusal = await refused(() => wrongSecret.refreshToken(ready.refresh_token));
check('a wrong secret is refused', refusal?.name, 'invalid_client');
await connection.oauth2.revokeToken(connection.accessToken);
connection.refreshToken = undefined;
const ended = await refused(() => new jsforce.Connection({
  instanceUrl: host,
  accessToken: connection.accessToken,
  httpProxy,
}).query('SELECT Id FROM User'));
check('a revoked session is refused', ended?.errorCode, 'INVALID_SESSION_ID');

process.exitCode = failed ? 1 : 0;
