// Package testkit makes what tests need around a connection: certificates, identity tokens and fleet keys.
//
//	Authority ── signs ──▶ Server, ServerRSA     for 127.0.0.1, ::1 and localhost
//	    │                  Client                with a name
//	    └── Pool           whom the other end trusts
//	Issuer ──── mints ───▶ Token                 for Audience
//	IDP ─────── signs ───▶ Token, Sign           as Amazon Cognito does, and publishes its keys: a fake identity provider
//	Ring ────── holds ───▶ FleetKey              for the tickets of a fleet
//
// Install and Need are for programs of others that a test talks to, Console is what a program prints,
// Metric what it serves at /metrics, Status what it answers to a name, FreePort returns a port for one that
// the test starts. On Linux OwnNetwork gives a test a network of its own, BPFDir a BPF file system, and
// NewDisk a small disk.
//
// Certificates hold from 1990 to 2100, so they do in a synctest bubble too, whose clock starts in 2000. Everything is
// fresh for each call but the RSA key, which takes a tenth of a second to make and is one for the process.
package testkit
