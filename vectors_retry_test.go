package sallyport_test

import (
	"strings"
	"testing"
)

// retryText is 15.7.
func retryText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct {
		Name, Address, Key, Hello, Token, Retry, Ticket, Proof, Return string

		ResumptionKey string `json:"resumption_key"`
		ReturnKey     string `json:"return_key"`
	}](t, data) {
		x := newText(t, v.Name)
		x.line(v.Key, "the server's key; the sender is "+v.Address)
		x.line(v.Hello, "ClientHello")
		x.WriteString("\n")
		x.rest = v.Retry
		x.field(1, "RETRY")
		x.field(1, "version")
		x.field(20, "token")
		x.field(32, "random")
		x.WriteString("\n")
		if v.Ticket != "" {
			x.line(v.ResumptionKey, "resumption key")
			x.line(v.ReturnKey, "return key")
			x.WriteString("\n")
		}
		x.rest = v.Return
		x.field(1, "RETURN")
		x.field(1, "version")
		if token := x.take(20); token != v.Token {
			t.Errorf("%s: another token", v.Name)
		} else {
			x.line(token, "token")
		}
		x.number(2, "ticket: %d bytes")
		if v.Ticket != "" {
			x.field(len(v.Ticket)/2, "ticket")
			x.field(16, "proof")
		}
		if x.rest != v.Hello {
			t.Errorf("%s: it goes before %s", v.Name, x.rest)
		}
		x.left("ClientHello")
		all.WriteString(x.end())
	}
	return all.String()
}
