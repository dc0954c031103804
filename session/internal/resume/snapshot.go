package resume

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/replay"
	"github.com/sallyport/sallyport/wire"
)

// A snapshot file hands all live sessions of a process to the one that takes
// its place, so that players go on without a handshake:
//
//	offset size
//	     0   16  "sallyport snap 1"
//	    16    4  fleet key id
//	    20    8  made, Unix milliseconds
//	    28   16  id, random
//	    44       chunks
//
// A chunk, of which only the last one is marked so and nothing follows it:
//
//	offset size
//	     0    4  highest bit: the last chunk; other bits: length of the rest, 16 to 65552
//	     4       AES-256-GCM of whole entries, and the tag
//
// The key is HKDF-SHA256(fleet key, salt = header, "sallyport v1 snapshot"), so
// each file has its own, and every byte of the header counts. The nonce is the
// chunk's number (8) from 0 ‖ zeros (3) ‖ 1 for the last chunk, else 0. There is
// no additional data.
//
// An entry is its kind (1), its length (2) and its content: session 1, used
// identity token 2, used ticket 3. Text that sessions share is written once in a
// file, see shared.
const (
	snapshotMagic  = "sallyport snap 1"
	snapshotHeader = len(snapshotMagic) + fleetIDLen + 8 + 16
	snapshotLast   = 1 << 31

	// snapshotChunk is the longest plaintext of a chunk in bytes.
	snapshotChunk = 64 << 10

	// maxSnapshotChunks bounds a file to 256 MiB, half a million sessions.
	maxSnapshotChunks = 4096

	// snapshotLife is how long a snapshot is good: a process starts in a few
	// seconds, and after 30 s of silence clients have given up.
	snapshotLife = 30 * time.Second

	// snapshotSkip is what whoever takes a snapshot adds to the next record
	// number and to the last sequence: more than a server sends one player at
	// 128 Hz in the life of a snapshot. What the old process still sends while or
	// after it writes, a CLOSE or a tick's outbox, then shares no nonce with the
	// new one.
	snapshotSkip = 4096

	// snapshotWindow is how many of a window's newest numbers are handed over one
	// by one, 2 s at 128 Hz; older ones count as seen.
	snapshotWindow = 256

	// maxSnapshotText is the longest text of a session in bytes, the same as the
	// longest scope that a token may have: an entry always fits a chunk.
	maxSnapshotText = 1024

	entrySession    = 1
	entryUsedToken  = 2
	entryUsedTicket = 3
)

// errSnapshot is the one answer to a snapshot that is refused: damaged, cut
// off, too old, of another fleet. Nothing of it counts.
var errSnapshot = errors.New("session: snapshot refused")

// snapshot is one live session and the DTLS connection under it, as the server
// sees them. Not in it, and why:
//
//   - a session whose client has not answered WELCOME yet, or which carries its
//     identity token in every datagram: it is not handed over;
//   - the previous epoch: its overlap ends with the old process, and what is
//     still on its way in it is lost like any datagram;
//   - the master secret and the last flight: the handshake is long over;
//   - rate, behaviour, wrong tags in a row, idle time: they begin anew;
//   - partial bodies: the client sends all parts again.
type snapshot struct {
	addr netip.AddrPort // of the proven path
	hint uint32         // by which it is found from another address, or 0

	suite        uint16 // IANA number of the cipher suite
	inKey, inIV  []byte // of records from the client: 16 or 32 bytes, and 4
	outKey       []byte // of records to the client, as long as inKey
	outIV        []byte
	recordNext   uint64         // number of the next record to the client, snapshotSkip included
	recordFailed uint64         // records that did not open under inKey, see record.MaxFailedOpens
	records      *replay.Window // record numbers from the client

	id          uint32 // on the wire
	name        [16]byte
	binding     byte
	channel     channel // Exporter is zero in binding mode none
	network     netip.Prefix
	fingerprint fingerprint
	issuer      string
	subject     string
	scope       string
	sequence    uint64         // last one to the client, snapshotSkip included
	window      *replay.Window // sequences from the client
	standing    standing       // of the current epoch
	epoch       uint32         // the current one's number
	in, out     [16]byte       // its datagram keys

	next *nextEpoch // RENEWED has been sent, and nothing has come in its epoch; or nil
}

// standing is what an epoch takes from its identity token.
type standing struct {
	expires                int64 // Unix ms
	tokenID, signIn, keyID string
}

// nextEpoch is what a repeated RENEW, and the first datagram of the next epoch,
// need: its number is one more than the current one's.
type nextEpoch struct {
	digest   [32]byte // SHA-256 of the RENEW body that it answers
	secret   [32]byte // its keys, and the RENEWED, are made from it
	standing standing
}

// channel is the DTLS connection as session.Channel has it, fingerprint what the client states.
type (
	channel struct {
		Exporter, Thumbprint [32]byte
		HasCertificate       bool
	}
	fingerprint struct{ Platform, Build string }
)

// usedEntry is one thing that counts once: the memory goes with the sessions,
// or a restart would let a used token in again.
type usedEntry struct {
	key     [32]byte
	expires int64 // Unix ms, after which it may be forgotten
}

// Content of a session's entry, in bytes:
//
//	size
//	   1  flags: 1 client certificate, 2 binding mode exporter, 4 next epoch, 8 keys of 32 bytes
//	   2  cipher suite
//	      keys (16 or 32 each) and IVs (4 each): key in, IV in, key out, IV out
//	   8  next record number
//	   8  records that did not open
//	      window of record numbers, as replay.Window.AppendTo writes it
//	      address: an item of address (4 or 16) and port (2)
//	   4  hint
//	   4  session id
//	  16  session name
//	  32  exporter, in binding mode exporter only
//	  32  certificate's SHA-256, with a client certificate only
//	      network prefix, as in a ticket
//	   8  last sequence to the client
//	      window of sequences
//	      standing: expiry (8), token id, sign-in id (items), key id (shared)
//	   4  epoch
//	  32  datagram keys: in, out
//	      issuer, scope, platform, build (shared), subject (item)
//	      with a next epoch only: digest 32, secret 32, standing
func (s *snapshot) appendTo(dst []byte, names *shared) []byte {
	bound := s.binding == wire.BindingExporter
	dst = append(dst, bits(s.channel.HasCertificate, bound, s.next != nil, len(s.inKey) == 32))
	dst = binary.BigEndian.AppendUint16(dst, s.suite)
	for _, b := range [][]byte{s.inKey, s.inIV, s.outKey, s.outIV} {
		dst = append(dst, b...)
	}
	dst = binary.BigEndian.AppendUint64(dst, s.recordNext)
	dst = binary.BigEndian.AppendUint64(dst, s.recordFailed)
	dst = s.records.AppendTo(dst, snapshotWindow)
	dst = appendItem(dst, binary.BigEndian.AppendUint16(s.addr.Addr().AsSlice(), s.addr.Port()))
	dst = binary.BigEndian.AppendUint32(dst, s.hint)
	dst = binary.BigEndian.AppendUint32(dst, s.id)
	dst = append(dst, s.name[:]...)
	if bound {
		dst = append(dst, s.channel.Exporter[:]...)
	}
	if s.channel.HasCertificate {
		dst = append(dst, s.channel.Thumbprint[:]...)
	}
	dst = appendNetwork(dst, s.network)
	dst = binary.BigEndian.AppendUint64(dst, s.sequence)
	dst = s.window.AppendTo(dst, snapshotWindow)
	dst = s.standing.appendTo(dst, names)
	dst = binary.BigEndian.AppendUint32(dst, s.epoch)
	dst = append(dst, s.in[:]...)
	dst = append(dst, s.out[:]...)
	for _, text := range s.shared() {
		dst = names.append(dst, *text)
	}
	dst = appendItem(dst, s.subject)
	if s.next != nil {
		dst = append(dst, s.next.digest[:]...)
		dst = append(dst, s.next.secret[:]...)
		dst = s.next.standing.appendTo(dst, names)
	}
	return dst
}

// parseSnapshot reads the content of a session's entry. Nothing in the result
// is part of b.
func parseSnapshot(b []byte, names *shared) (s *snapshot, ok bool) {
	s = new(snapshot)
	u := unpacker{left: b}
	flags := u.bits(15)
	keyLen := 16 + int(flags&8)*2
	s.channel.HasCertificate = flags&1 != 0
	s.suite = u.uint16()
	s.inKey, s.inIV = u.clone(keyLen), u.clone(4)
	s.outKey, s.outIV = u.clone(keyLen), u.clone(4)
	s.recordNext = u.uint64()
	s.recordFailed = u.uint64()
	s.records = u.window()
	s.addr = u.addr()
	s.hint = u.uint32()
	s.id = u.uint32()
	u.fill(s.name[:])
	if flags&2 != 0 {
		s.binding = wire.BindingExporter
		u.fill(s.channel.Exporter[:])
	}
	if s.channel.HasCertificate {
		u.fill(s.channel.Thumbprint[:])
	}
	s.network = u.network()
	s.sequence = u.uint64()
	s.window = u.window()
	s.standing.parse(&u, names)
	s.epoch = u.uint32()
	u.fill(s.in[:])
	u.fill(s.out[:])
	for _, text := range s.shared() {
		*text = names.parse(&u)
	}
	s.subject = string(u.item())
	if flags&4 != 0 {
		s.next = new(nextEpoch)
		u.fill(s.next.digest[:])
		u.fill(s.next.secret[:])
		s.next.standing.parse(&u, names)
	}
	return s, u.done() && s.coherent()
}

func (s *snapshot) shared() [4]*string {
	return [4]*string{&s.issuer, &s.scope, &s.fingerprint.Platform, &s.fingerprint.Build}
}

// coherent says whether a live session can be like that.
func (s *snapshot) coherent() bool {
	for _, text := range s.shared() {
		if len(*text) > maxSnapshotText {
			return false
		}
	}
	keys := (len(s.inKey) == 16 || len(s.inKey) == 32) && len(s.outKey) == len(s.inKey) && len(s.inIV) == 4 && len(s.outIV) == 4
	return keys && s.records != nil && s.window != nil && s.addr.IsValid() && s.addr.Addr().Zone() == "" &&
		s.id > 0 && s.epoch > 0 && s.binding <= wire.BindingExporter && s.issuer != "" &&
		s.subject != "" && len(s.subject) <= maxSnapshotText &&
		s.standing.coherent() && (s.next == nil || s.next.standing.coherent())
}

func (s *standing) coherent() bool {
	return s.expires > 0 && s.tokenID != "" && max(len(s.tokenID), len(s.signIn), len(s.keyID)) <= maxSnapshotText
}

func (s *standing) appendTo(dst []byte, names *shared) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.expires))
	dst = appendItem(dst, s.tokenID)
	dst = appendItem(dst, s.signIn)
	return names.append(dst, s.keyID)
}

func (s *standing) parse(u *unpacker, names *shared) {
	s.expires = int64(u.uint64())
	s.tokenID, s.signIn = string(u.item()), string(u.item())
	s.keyID = names.parse(u)
}

// wipe erases the keys, once the connection and the session have them.
func (s *snapshot) wipe() {
	clear(s.inKey)
	clear(s.outKey)
	s.channel.Exporter, s.in, s.out = [32]byte{}, [16]byte{}, [16]byte{}
	if s.next != nil {
		s.next.secret = [32]byte{}
	}
}
