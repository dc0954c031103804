// Package gameserver is a whole match server as examples/server runs it and examples/client embeds it: the arena of
// package arena on one UDP port, and a status address for operators.
//
//	UDP   Config.Listen   package transport: players
//	HTTP  Config.Status   GET /          the page of package statuspage, and what else that serves: /metrics, /live, /ready
//	                      GET /healthz   200 while the arena runs
//	                      GET /stats     one JSON object: Stats
//	                      GET or POST /token?subject=…&scope=…&platform=…&build=…&life=10m
//	                                     an identity token; in development only, see below
//
// # Development
//
// Dev makes what a server otherwise brings along: a self-signed certificate and a token.Issuer. Whoever reaches /token
// can then be any player. So it answers on a loopback address only, and the keys die with the process. A client learns
// of them from a File, which only its owner can read.
package gameserver
