package wire

import "encoding/binary"

// Binding modes: how the datagram keys are bound to the connection.
const (
	BindingNone     = 0 // nothing, for DTLS engines that hide the exporter
	BindingExporter = 1 // the exporter of the DTLS connection
)

// Feature bits, which a client offers and a server takes up.
const (
	FeatureReports = 1 << 0 // PONGs report how many of the client's datagrams were lost
	FeatureLanes   = 1 << 1 // messages on lanes, by FRAMES
)

// Hello is the body of HELLO, once its parts are together: the client's identity and offers.
//
//	offset size
//	     0   16  client nonce
//	    16    1  binding mode: 0 none, 1 exporter
//	    17    8  next to send: the client's next sequence
//	    25    8  next to receive: the server's next sequence
//	    33    4  features: bits the client offers
//	    37       fields: token 1, ticket 2, platform 3, build 4, scope 5, metadata 7, lanes 8, proof 255
//
// A HELLO has a token or a ticket, or a ticket and a token. Without a ticket both sequences are 1 and
// no lanes are held; with one there is a proof, and no metadata. It has the field lanes if it offers
// FeatureLanes, and only then.
type Hello struct {
	Nonce       [16]byte // random, new for each HELLO that is not a retransmission
	Binding     uint8    // any value parses, because an unknown mode is answered
	NextSend    uint64   // from 1
	NextReceive uint64   // from 1
	Features    uint32   // unknown bits are ignored
	Token       []byte   // identity token, 1 to MaxToken bytes
	Ticket      []byte   // 1 to MaxTicket bytes
	Platform    []byte   // to MaxText bytes of UTF-8 without control characters, as are Build and Scope
	Build       []byte
	Scope       []byte
	Metadata    []byte // the game's own, any bytes, to MaxMetadata of them
	Lanes       HelloLanes
	Proof       []byte // ProofLen bytes, over everything before the proof field
}

// ParseHello reads a whole body, at most MaxHelloBody bytes. Slices in the result are part of body.
// The error is ErrMalformed.
func ParseHello(body []byte) (Hello, error) {
	var h Hello
	c := newParser(body)
	c.Require(len(body) <= MaxHelloBody)
	c.Fill(h.Nonce[:])
	h.Binding = c.Uint8()
	h.NextSend = c.positive64()
	h.NextReceive = c.positive64()
	h.Features = c.Uint32()
	for typ, value, ok := c.field(); ok; typ, value, ok = c.field() {
		h.set(&c, typ, value)
	}
	if !c.Done() || !h.coherent() {
		return Hello{}, ErrMalformed
	}
	return h, nil
}

func (h *Hello) set(c *parser, typ fieldType, value []byte) {
	switch typ {
	case fieldToken:
		h.Token = c.fits(value, MaxToken)
	case fieldTicket:
		h.Ticket = c.fits(value, MaxTicket)
	case fieldPlatform:
		h.Platform = c.text(value)
	case fieldBuild:
		h.Build = c.text(value)
	case fieldScope:
		h.Scope = c.text(value)
	case fieldMetadata:
		h.Metadata = c.fits(value, MaxMetadata)
	case fieldLanes:
		h.Lanes = c.helloLanes(value)
	case fieldProof:
		h.Proof = value
	}
}

// coherent reports whether the fields go together.
func (h *Hello) coherent() bool {
	if (h.Features&FeatureLanes != 0) != h.Lanes.Present() {
		return false
	}
	if h.Ticket != nil {
		return h.Metadata == nil && len(h.Proof) == ProofLen
	}
	return h.Token != nil && h.Proof == nil && h.NextSend == 1 && h.NextReceive == 1 && h.Lanes.Generation == 0
}

// AppendTo appends the whole body, which Parts cuts for sending.
func (h Hello) AppendTo(dst []byte) []byte {
	dst = append(dst, h.Nonce[:]...)
	dst = append(dst, h.Binding)
	dst = binary.BigEndian.AppendUint64(dst, h.NextSend)
	dst = binary.BigEndian.AppendUint64(dst, h.NextReceive)
	dst = binary.BigEndian.AppendUint32(dst, h.Features)
	dst = appendField(dst, fieldToken, h.Token)
	dst = appendField(dst, fieldTicket, h.Ticket)
	dst = appendField(dst, fieldPlatform, h.Platform)
	dst = appendField(dst, fieldBuild, h.Build)
	dst = appendField(dst, fieldScope, h.Scope)
	dst = appendField(dst, fieldMetadata, h.Metadata)
	if h.Lanes.Present() {
		var b [maxHelloLanes]byte
		dst = appendField(dst, fieldLanes, h.Lanes.appendTo(b[:0]))
	}
	return appendField(dst, fieldProof, h.Proof)
}
