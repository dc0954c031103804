package wire

import "strconv"

// Kind determines the body of an envelope.
type Kind uint8

// The kinds of version 1. Others do not parse.
const (
	KindHello   Kind = 1
	KindWelcome Kind = 2
	KindData    Kind = 3
	KindRenew   Kind = 4
	KindRenewed Kind = 5
	KindPing    Kind = 6
	KindPong    Kind = 7
	KindClose   Kind = 8
	KindBearer  Kind = 9
	KindNotice  Kind = 10
	KindFrames  Kind = 11
)

var kindNames = [...]string{
	KindHello:   "HELLO",
	KindWelcome: "WELCOME",
	KindData:    "DATA",
	KindRenew:   "RENEW",
	KindRenewed: "RENEWED",
	KindPing:    "PING",
	KindPong:    "PONG",
	KindClose:   "CLOSE",
	KindBearer:  "BEARER",
	KindNotice:  "NOTICE",
	KindFrames:  "FRAMES",
}

// String returns the name PROTOCOL.md uses, or "kind N".
func (k Kind) String() string {
	if k.known() {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

func (k Kind) known() bool { return KindHello <= k && k <= KindFrames }
