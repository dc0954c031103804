package fuzz

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"slices"
	"testing"

	"github.com/pion/dtls/v2/pkg/crypto/ciphersuite"
	"github.com/pion/dtls/v2/pkg/crypto/prf"
	"github.com/pion/dtls/v2/pkg/protocol"
	"github.com/pion/dtls/v2/pkg/protocol/recordlayer"

	"github.com/sallyport/sallyport/internal/record"
)

// pionEnd is pion's protection of records with the keys that it derives itself.
func pionEnd(t testing.TB, s *record.Secrets, isClient bool) *ciphersuite.GCM {
	keyLen, h := 16, func() hash.Hash { return sha256.New() }
	if s.Suite == record.ECDSAWithAES256 || s.Suite == record.RSAWithAES256 {
		keyLen, h = 32, sha512.New384
	}
	k, err := prf.GenerateEncryptionKeys(s.Master[:], s.ClientRandom[:], s.ServerRandom[:], 0, keyLen, 4, h)
	if err != nil {
		t.Fatal(err)
	}
	own, ownIV, other, otherIV := k.ClientWriteKey, k.ClientWriteIV, k.ServerWriteKey, k.ServerWriteIV
	if !isClient {
		own, ownIV, other, otherIV = other, otherIV, own, ownIV
	}
	gcm, err := ciphersuite.NewGCM(own, ownIV, other, otherIV)
	if err != nil {
		t.Fatal(err)
	}
	return gcm
}

// ourEnd is ours.
func ourEnd(t testing.TB, s *record.Secrets, isClient bool, next uint64) *record.Conn {
	c, err := record.New(s, isClient, next, 64)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// FuzzRecord holds the record layer against pion's, which derives its own keys: each opens what the
// other seals, and no record opens here that does not open there. A record of which a bit is changed
// opens nowhere.
func FuzzRecord(f *testing.F) {
	suites := []record.Suite{record.ECDSAWithAES128, record.ECDSAWithAES256, record.RSAWithAES128, record.RSAWithAES256}
	f.Add(uint8(0), []byte("secret"), uint32(1), uint32(0), []byte("payload"), uint16(20), uint8(1))
	f.Add(uint8(1), []byte{}, uint32(1<<20), uint32(0xabcd0001), []byte{}, uint16(0), uint8(1))
	f.Add(uint8(2), []byte("another"), uint32(77), uint32(0xffffffff), make([]byte, 1200), uint16(11), uint8(128))
	f.Add(uint8(3), []byte("x"), uint32(1), uint32(0), []byte{1, 0}, uint16(1), uint8(2))
	f.Fuzz(func(t *testing.T, suite uint8, seed []byte, next, id uint32, plaintext []byte, at uint16, flip uint8) {
		if len(plaintext) > 1<<14 {
			return
		}
		s := &record.Secrets{Suite: suites[int(suite)%len(suites)]}
		first, second := sha512.Sum512(seed), sha512.Sum512(append([]byte{1}, seed...))
		copy(s.Master[:], first[:])
		copy(s.ClientRandom[:], second[:32])
		copy(s.ServerRandom[:], second[32:])
		number := uint64(next%(record.MaxRecords-1)) + 1
		client, server := ourEnd(t, s, true, number), ourEnd(t, s, false, number)
		client.SetConnectionID(id)
		theirClient, theirServer := pionEnd(t, s, true), pionEnd(t, s, false)

		// Ours to theirs, and to ours.
		rec, err := client.Seal(nil, record.ApplicationData, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := theirServer.Decrypt(slices.Clone(rec))
		if err != nil || !bytes.Equal(opened[recordlayer.HeaderSize:], plaintext) {
			t.Fatalf("pion reads %x of %x: %v", opened, plaintext, err)
		}

		// With a bit changed, to both. pion looks at no length here: a record is as long as what is there.
		if flip != 0 {
			changed := slices.Clone(rec)
			changed[int(at)%len(changed)] ^= flip
			if _, _, err := server.Open(slices.Clone(changed)); err == nil {
				t.Fatalf("a record with byte %d changed opens", int(at)%len(changed))
			}
			place := int(at) % len(changed)
			if _, err := theirServer.Decrypt(changed); err == nil && place != 11 && place != 12 && record.ContentType(changed[0]) != record.ChangeCipherSpec {
				t.Fatalf("a record with byte %d changed opens in pion alone", place)
			}
		}
		typ, got, err := server.Open(slices.Clone(rec))
		if err != nil || typ != record.ApplicationData || !bytes.Equal(got, plaintext) {
			t.Fatalf("ours opens as %v, %x: %v", typ, got, err)
		}

		// Theirs to ours.
		r := recordlayer.RecordLayer{
			Header:  recordlayer.Header{Version: protocol.Version1_2, Epoch: 1, SequenceNumber: number + 1},
			Content: &protocol.ApplicationData{Data: plaintext},
		}
		raw, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := theirClient.Encrypt(&r, raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, got, err := server.Open(theirs); err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("of pion's record ours reads %x, want %x: %v", got, plaintext, err)
		}
	})
}

// FuzzSplit has both split any datagram into records. What pion takes as a whole, ours splits alike;
// where it refuses the datagram, ours keeps the records before what is wrong. A record without
// content is one for us, and none for pion.
func FuzzSplit(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 2, 9, 9})
	f.Add([]byte{23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		var ours [][]byte
		rest := datagram
		for len(rest) > 0 {
			rec, more, ok := record.Next(rest)
			if !ok {
				break
			}
			ours, rest = append(ours, rec), more
		}
		theirs, err := recordlayer.UnpackDatagram(datagram)
		if err != nil {
			return
		}
		if len(rest) != 0 || !slices.EqualFunc(ours, theirs, bytes.Equal) {
			t.Fatalf("%x: ours splits it into %x, pion into %x", datagram, ours, theirs)
		}
	})
}
