package retry

import "time"

const (
	// Life is how long a token is good for, in whole seconds: twice a handshake's time limit, since
	// a client repeats its ClientHello for as long, and returns the token with each.
	Life = 10 * time.Second

	// MaxRetries is how many tokens a client returns in one handshake: one, one more if the server
	// has restarted meanwhile, and one for a ClientHello that was repeated before the first came.
	MaxRetries = 3

	// period is how long tokens are made with one key, in seconds. The one before it is kept: it
	// has made every token that is good and is not of the present one.
	period = 120
)
