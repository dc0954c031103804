// Package cognito brings foreign programs into tests of what this library says about Amazon Cognito: Amazon's own
// verifier for Node.js (aws-jwt-verify), beside which ours must justify each difference, and an emulator of the service
// (cognito-local).
//
//	package.json, package-lock.json ── npm ci ──▶ the user's cache folder, once ──▶ node, on the loopback interface
//
// Nothing else uses them. A test that needs them is skipped, and says why, where node or npm is missing; with CI=true in
// the environment it fails instead.
package cognito
