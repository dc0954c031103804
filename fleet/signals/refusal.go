package signals

import (
	"net/http"

	"github.com/sallyport/sallyport/token"
)

// refusal is why a SET is not acknowledged. Its texts are fixed, and quote nothing of it.
type refusal struct {
	err    string // code of RFC 8935 2.4; empty for what may succeed later
	text   string
	status int
	cause  string // for the audit
}

func invalid(text string) *refusal {
	return &refusal{"invalid_request", text, http.StatusBadRequest, "claim"}
}

// later is a refusal that says nothing about the SET.
func later(status int, text string) *refusal { return &refusal{"", text, status, ""} }

// refused says which code a failure of the token package has.
func refused(err error) *refusal {
	check := token.CheckOf(err)
	code := "invalid_request"
	switch check {
	case token.CheckKeySet:
		return later(http.StatusServiceUnavailable, "the transmitter's keys cannot be fetched")
	case token.CheckIssuer:
		code = "invalid_issuer"
	case token.CheckAudience:
		code = "invalid_audience"
	case token.CheckKey, token.CheckAlgorithm, token.CheckSignature:
		code = "invalid_key"
	}
	label := token.Label(err)
	return &refusal{code, "the SET fails this check: " + label, http.StatusBadRequest, label}
}
