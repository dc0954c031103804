package resume

import (
	"encoding/binary"

	"github.com/sallyport/sallyport/internal/wire"
)

// appendTo appends the content of a session's entry. In is from the client;
// windows are as replay.Window.AppendTo writes them, texts as appendText does,
// shared ones as names does.
//
//	size
//	   1  flags: 1 client certificate, 2 binding mode 1, 4 next epoch, 8 keys of 32 bytes, 16 reports,
//	      32 identity token bound to the certificate, 64 step up, 128 confined
//	      record keys (16 or 32 each) and IVs (4 each): key in, IV in, key out, IV out
//	   8  next record number
//	   8  records that did not open
//	      window of record numbers
//	      address: length 2, address (4 or 16) and port (2)
//	      local address: length 2 and address (4 or 16), or length 0
//	   4  connection id
//	   4  session id
//	  16  session name
//	  32  exporter, in binding mode 1 only
//	  32  SHA-256 of the client's certificate, with one only
//	      network prefix: length 2 and value, as in a ticket
//	   1  part of the fingerprint that a step up is owed for, with one only
//	   8  last sequence to the client
//	   8  datagrams of the client's that were accepted so far
//	      window of sequences
//	      standing
//	   4  epoch
//	  32  datagram keys (16 each): in, out
//	      issuer, scope, platform, build (shared), subject (text)
//	  32  digest: SHA-256 of the body of the RENEW that made the next epoch, with one only
//	  32  secret of the next epoch, with one only
//	      standing of the next epoch, with one only
//	   8  when the session ends, Unix milliseconds, unless that is the expiry of its standing
//
// A standing is expiry (8), issued (8), token id, sign-in id (texts), key id
// (shared) and identity (length 2 and value).
func (s *Session) appendTo(dst []byte, names *shared) []byte {
	bound := s.Binding == wire.BindingExporter
	dst = append(dst, bits(s.HasCertificate, bound, s.Next != nil, len(s.InKey) == 32, s.Reports, s.Bound, s.StepUp != 0, s.Confined))
	for _, b := range [][]byte{s.InKey, s.InIV, s.OutKey, s.OutIV} {
		dst = append(dst, b...)
	}
	dst = binary.BigEndian.AppendUint64(dst, s.RecordNext)
	dst = binary.BigEndian.AppendUint64(dst, s.RecordFailed)
	dst = s.Records.AppendTo(dst, newestSeen)
	dst = appendItem(dst, binary.BigEndian.AppendUint16(s.Addr.Addr().AsSlice(), s.Addr.Port()))
	dst = appendItem(dst, s.Local.AsSlice())
	dst = binary.BigEndian.AppendUint32(dst, s.ConnectionID)
	dst = binary.BigEndian.AppendUint32(dst, s.ID)
	dst = append(dst, s.Name[:]...)
	if bound {
		dst = append(dst, s.Exporter[:]...)
	}
	if s.HasCertificate {
		dst = append(dst, s.Thumbprint[:]...)
	}
	dst = appendNetwork(dst, s.Network)
	if s.StepUp != 0 {
		dst = append(dst, s.StepUp)
	}
	dst = binary.BigEndian.AppendUint64(dst, s.Sequence)
	dst = binary.BigEndian.AppendUint64(dst, s.Accepted)
	dst = s.Window.AppendTo(dst, newestSeen)
	dst = s.Standing.appendTo(dst, names)
	dst = binary.BigEndian.AppendUint32(dst, s.Epoch)
	dst = append(dst, s.In[:]...)
	dst = append(dst, s.Out[:]...)
	for _, text := range s.shared() {
		dst = names.append(dst, *text)
	}
	dst = appendText(dst, s.Subject)
	if s.Next != nil {
		dst = append(dst, s.Next.Digest[:]...)
		dst = append(dst, s.Next.Secret[:]...)
		dst = s.Next.Standing.appendTo(dst, names)
	}
	if s.Ends != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.Ends))
	}
	return dst
}

// parseSession reads it. Nothing in the result is part of b.
func parseSession(b []byte, names *shared) (s *Session, ok bool) {
	s = new(Session)
	u := newUnpacker(b)
	flags := u.Uint8()
	keyLen := 16 + int(flags&8)*2
	s.HasCertificate, s.Reports, s.Bound, s.Confined = flags&1 != 0, flags&16 != 0, flags&32 != 0, flags&128 != 0
	s.InKey, s.InIV = u.clone(keyLen), u.clone(4)
	s.OutKey, s.OutIV = u.clone(keyLen), u.clone(4)
	s.RecordNext = u.Uint64()
	s.RecordFailed = u.Uint64()
	s.Records = u.window()
	s.Addr = u.addr()
	s.Local = u.local()
	s.ConnectionID = u.Uint32()
	s.ID = u.Uint32()
	u.Fill(s.Name[:])
	if flags&2 != 0 {
		s.Binding = wire.BindingExporter
		u.Fill(s.Exporter[:])
	}
	if s.HasCertificate {
		u.Fill(s.Thumbprint[:])
	}
	s.Network = u.network()
	if flags&64 != 0 {
		s.StepUp = u.Uint8()
		u.Require(s.StepUp != 0)
	}
	s.Sequence = u.Uint64()
	s.Accepted = u.Uint64()
	s.Window = u.window()
	s.Standing.parse(&u, names)
	s.Epoch = u.Uint32()
	u.Fill(s.In[:])
	u.Fill(s.Out[:])
	for _, text := range s.shared() {
		*text = names.parse(&u)
	}
	s.Subject = u.text()
	if flags&4 != 0 {
		s.Next = new(NextEpoch)
		u.Fill(s.Next.Digest[:])
		u.Fill(s.Next.Secret[:])
		s.Next.Standing.parse(&u, names)
	}
	if len(u.Left()) > 0 {
		s.Ends = int64(u.Uint64())
		u.Require(s.Ends > 0)
	}
	return s, u.Done() && s.coherent()
}

func (s *Standing) appendTo(dst []byte, names *shared) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Expires))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Issued))
	dst = appendText(dst, s.TokenID)
	dst = appendText(dst, s.SignIn)
	return appendItem(names.append(dst, s.KeyID), s.Identity)
}

func (s *Standing) parse(u *unpacker, names *shared) {
	s.Expires, s.Issued = int64(u.Uint64()), int64(u.Uint64())
	s.TokenID, s.SignIn = u.text(), u.text()
	s.KeyID = names.parse(u)
	s.Identity = string(u.item())
}
