package record

// Open authenticates one whole record, as Next returns it, and decrypts it in place. The plaintext
// is part of rec and lives as long as it does. rec is destroyed in any case, so a caller that tries
// another Conn after a failure copies it first. Content types other than alert, handshake and
// application data do not exist in epoch 1. The error is ErrRecord, or ErrExhausted after
// MaxFailedOpens forgeries.
//
// Owner: one goroutine.
func (c *Conn) Open(rec []byte) (ContentType, []byte, error) {
	h, ok := ParseHeader(rec)
	if !ok || !h.protected() {
		return 0, nil, ErrRecord
	}
	if h.Length != len(rec)-HeaderLen || h.Length < nonceLen+tagLen || h.Length > nonceLen+MaxPlaintext+tagLen {
		return 0, nil, ErrRecord
	}
	if c.failed >= MaxFailedOpens || !c.in.ready() {
		return 0, nil, ErrExhausted
	}
	// "If the received record falls within the window and is new, or if the packet is to the right
	// of the window, then the receiver proceeds to MAC verification." RFC 6347 4.1.2.6 ...
	if !c.window.Check(h.Seq) {
		return 0, nil, ErrRecord
	}
	c.in.prepare(rec[HeaderLen:Prefix], h, len(rec)-Overhead)
	plaintext, err := c.in.aead.Open(rec[Prefix:Prefix], c.in.nonce[:], rec[Prefix:], c.in.ad[:])
	if err != nil {
		c.failed++
		return 0, nil, ErrRecord
	}
	// ... "The receive window is updated only if the MAC verification succeeds."
	c.window.Accept(h.Seq)
	return h.Type, plaintext, nil
}

// protected reports whether h is the header of a record of epoch 1.
func (h Header) protected() bool {
	return h.Type >= Alert && h.Type <= ApplicationData && h.Version == Version && h.Epoch == epoch
}
