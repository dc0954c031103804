package wire

// fieldNames are the fields of HELLO, for HelloFault.
var fieldNames = map[fieldType]string{
	fieldToken: "token", fieldTicket: "ticket", fieldPlatform: "platform", fieldBuild: "build", fieldScope: "scope",
	fieldMetadata: "metadata", fieldLanes: "lanes", fieldProof: "proof",
}

// HelloFault returns what is wrong with a body that ParseHello refuses, for the operator: one of a
// few fixed texts, which quotes nothing of the body.
func HelloFault(body []byte) string {
	var h Hello
	c := newParser(body)
	c.Take(len(h.Nonce) + 1)
	h.NextSend, h.NextReceive = c.Uint64(), c.Uint64()
	h.Features = c.Uint32()
	switch {
	case len(body) > MaxHelloBody:
		return "it is too long"
	case c.Bad():
		return "it ends before its fields"
	}
	for typ, value, ok := c.field(); ok; typ, value, ok = c.field() {
		switch h.set(&c, typ, value); {
		case c.Bad() && typ == fieldLanes:
			return "the field lanes is not of its form"
		case c.Bad():
			return "the field " + fieldNames[typ] + " is too long or no text"
		}
	}
	token, ticket := h.Token != nil, h.Ticket != nil
	switch {
	case c.Bad():
		return "a field is out of order, empty or longer than the rest"
	case !token && !ticket:
		return "it has neither a token nor a ticket"
	case h.NextSend == 0, h.NextReceive == 0, !ticket && (h.NextSend != 1 || h.NextReceive != 1):
		return "a sequence is 0, or not 1 without a ticket"
	case len(h.Proof) != 0 != ticket:
		return "the proof is missing, or stands without a ticket"
	case (h.Features&FeatureLanes != 0) != h.Lanes.Present():
		return "the field lanes stands without its feature bit, or is missing"
	case !ticket && h.Lanes.Generation != 0:
		return "a generation of lanes stands without a ticket"
	case ticket && h.Metadata != nil:
		return "metadata stands beside a ticket"
	}
	return "the proof has the wrong length"
}
