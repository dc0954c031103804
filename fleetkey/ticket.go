package fleetkey

import "crypto/cipher"

// ticketCipher is made once for each key, because tickets come by the thousand.
type ticketCipher struct{ cipher.AEAD }

// SealTicket appends content to dst, sealed by Cipher(nil, "sallyport v1 ticket") with data as
// additional data, and counts it. nonce is 12 random bytes. The error matches ErrKey, and then dst
// is unchanged: the key is zero, was wiped, or has sealed 2^32 tickets in this process.
func (k Key) SealTicket(dst, nonce, content, data []byte) ([]byte, error) {
	c, err := k.tickets()
	if err != nil {
		return dst, err
	}
	if k.key().seals.Add(1) > maxSeals {
		return dst, refuse("it has sealed 2^32 tickets")
	}
	return c.Seal(dst, nonce, content, data), nil
}

// OpenTicket appends the content of a sealed ticket to dst. It fails if SealTicket did not seal it
// under k, and after Wipe.
func (k Key) OpenTicket(dst, nonce, sealed, data []byte) ([]byte, error) {
	c, err := k.tickets()
	if err != nil {
		return dst, err
	}
	return c.Open(dst, nonce, sealed, data)
}

// Sealed returns how many tickets the key has sealed in this process. The sum over all processes
// must stay far below 2^32.
func (k Key) Sealed() uint64 {
	if k.key == nil {
		return 0
	}
	return min(maxSeals, k.key().seals.Load())
}

func (k Key) tickets() (*ticketCipher, error) {
	if k.key == nil {
		return nil, refuse("it is empty")
	}
	if c := k.key().ticket.Load(); c != nil {
		return c, nil
	}
	return nil, refuse("it was wiped")
}
