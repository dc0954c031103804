// Package dev stands in for what a game has later: a certificate that an authority has signed, and
// a login that knows its players. It is for development: a Login hands a token to whoever asks for
// one, under any name.
//
//	        server                                 client
//	dev.NewLogin ─▶ Login.Config            dev.SignIn ─▶ address, ClientConfig
//	                   │                       ▲                │
//	Login.Serve ───────┼────── HTTP ───────────┘                │
//	                   ▼                                        ▼
//	            transport.Listen ◀──────── UDP ────────── transport.Dial
//
// A game that goes public replaces Config by its own Certificate and a token.Verifier for its issuer,
// and SignIn by its login; nothing else changes.
package dev
