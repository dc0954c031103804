// A Lambda function for an EventBridge rule on what CloudTrail records of an Amazon Cognito user pool:
// it pushes a security event (RFC 8417, RFC 8935) to a signals.Receiver. docs/deploy.md has the rule.
import { randomUUID, sign } from 'node:crypto'

const { KEY, KEY_ID, ISSUER, AUDIENCE, RECEIVER, AUTHORIZATION } = process.env // KEY: P-256, PKCS #8 in PEM
const caep = 'https://schemas.openid.net/secevent/caep/event-type/', risc = 'https://schemas.openid.net/secevent/risc/event-type/'
const credential = [caep + 'credential-change', { credential_type: 'password', change_type: 'update' }]
const events = {
  GlobalSignOut: [caep + 'session-revoked'], AdminUserGlobalSignOut: [caep + 'session-revoked'], RevokeToken: [caep + 'session-revoked'],
  AdminDisableUser: [risc + 'account-disabled'], AdminDeleteUser: [risc + 'account-purged'], DeleteUser: [risc + 'account-purged'],
  ChangePassword: credential, ConfirmForgotPassword: credential, AdminSetUserPassword: credential, AdminResetUserPassword: credential,
}
const encode = (v) => Buffer.from(JSON.stringify(v)).toString('base64url')

export const handler = async ({ detail }) => {
  const [type, payload] = events[detail.eventName] ?? [], sub = detail.additionalEventData?.sub, at = Date.parse(detail.eventTime) / 1000
  if (!type || detail.errorCode) return // nothing has changed
  if (!sub) throw new Error(`${detail.eventName} without sub`) // EventBridge retries, and then has it in its dead-letter queue
  const text = encode({ alg: 'ES256', typ: 'secevent+jwt', kid: KEY_ID }) + '.' + encode({
    iss: ISSUER, aud: AUDIENCE, jti: detail.eventID ?? randomUUID(), iat: Math.floor(Date.now() / 1000),
    sub_id: { format: 'opaque', id: sub }, events: { [type]: { event_timestamp: at, ...payload } },
  })
  const body = text + '.' + sign('sha256', Buffer.from(text), { key: KEY, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  const headers = { 'Content-Type': 'application/secevent+jwt', Accept: 'application/json', Authorization: AUTHORIZATION }
  const answer = await fetch(RECEIVER, { method: 'POST', headers, body })
  if (answer.status !== 202) throw new Error(`the receiver answers ${answer.status} ${await answer.text()}`) // EventBridge retries
}
