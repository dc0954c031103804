// Package signin gets identity tokens for a client, from Amazon Cognito or from a game's own sign-in service.
//
//	Cognito   InitiateAuth: USER_PASSWORD_AUTH, then REFRESH_TOKEN_AUTH ──▶ a fresh access token each time
//	URL       POST, or GET where that is not allowed                    ──▶ {"token": "…"} or the token itself
//
// A Source fits transport.ClientConfig.Token: each call returns a token that no earlier call has returned, as joining and
// renewing ask for.
//
// It is what examples need and no more. A game that ships signs its players in with Cognito's managed login or by SRP,
// so that the password does not pass through the game.
package signin
