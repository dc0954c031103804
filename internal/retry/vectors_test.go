package retry

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/vectors"
)

// vector is one of PROTOCOL.md 15.7. The key and the time are a server's own affair.
type vector struct {
	Name          string `json:"name"`
	Address       string `json:"address"`
	Time          int64  `json:"time"`
	Key           string `json:"key"`
	Hello         string `json:"hello"`
	Token         string `json:"token"`
	Retry         string `json:"retry"`
	ResumptionKey string `json:"resumption_key,omitempty"`
	ReturnKey     string `json:"return_key,omitempty"`
	Ticket        string `json:"ticket,omitempty"`
	Proof         string `json:"proof,omitempty"`
	Return        string `json:"return"`
}

// counting returns n bytes that count up from first.
func counting(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// vectorOf computes a vector from what is not computed.
func vectorOf(t *testing.T, name, address, ticket string, first byte) (v vector) {
	t.Helper()
	addr, now := netip.MustParseAddrPort(address), epoch
	random := [RandomLen]byte(counting(first, RandomLen))
	hello := append([]byte{22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 0xfe, 0xfd}, random[:]...)
	hello = append(hello, 0, 0, 0, 2, 0xc0, 0x2b, 1, 0)
	var keys Keys
	k := key{period: periodOf(now.Unix()), secret: [32]byte(counting(0x40, 32))}
	keys.pair.Store(&[2]key{k, {period: -1}})
	token := NewMinter(&keys).Mint(now, addr, &random)
	v = vector{
		Name: name, Address: address, Time: now.Unix(), Key: hex.EncodeToString(k.secret[:]), Hello: hex.EncodeToString(hello),
		Token: hex.EncodeToString(token[:]), Retry: hex.EncodeToString(AppendRetry(nil, &token, &random)),
	}
	if ticket == "" {
		v.Return = hex.EncodeToString(append(AppendReturn(nil, &token, nil, nil), hello...))
		return v
	}
	resumption := [32]byte(counting(0x80, 32))
	returns, err := ReturnKey(&resumption)
	if err != nil {
		t.Fatal(err)
	}
	proof := Prove(&returns, &token, &random)
	v.ResumptionKey, v.ReturnKey = hex.EncodeToString(resumption[:]), hex.EncodeToString(returns[:])
	v.Ticket, v.Proof = hex.EncodeToString([]byte(ticket)), hex.EncodeToString(proof[:])
	v.Return = hex.EncodeToString(append(AppendReturn(nil, &token, []byte(ticket), &proof), hello...))
	return v
}

// The vectors of PROTOCOL.md 15.7 are what this package makes, and it reads them.
func TestVectors(t *testing.T) {
	all := []vector{vectorOf(t, "of an IPv4 address", "192.0.2.7:5000", "", 0), vectorOf(t, "with a ticket", "[2001:db8::7]:5000", "a ticket is opaque", 0x20)}
	vectors.Hold(t, "proofs of address", all)
	for _, v := range all {
		b, _ := hex.DecodeString(v.Return)
		r, ok := ParseReturn(b)
		if !ok || hex.EncodeToString(r.Token[:]) != v.Token || hex.EncodeToString(r.Records) != v.Hello || hex.EncodeToString(r.Ticket) != v.Ticket {
			t.Errorf("%s is read as %+v", v.Return, r)
		}
		if got := time.Unix(int64(binary.BigEndian.Uint32(r.Token[:])), 0); got.Unix() != v.Time {
			t.Errorf("the token is of %v", got)
		}
	}
}
