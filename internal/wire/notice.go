package wire

import (
	"encoding/binary"
	"strconv"
)

// NoticeCode is the request of a NOTICE to the client.
type NoticeCode uint8

// The codes of version 1. A client ignores one that it does not know.
const (
	NoticeStepUp NoticeCode = 1 // send RENEW with a fresh identity token
	NoticeDrain  NoticeCode = 2 // the server is about to stop: finish, and play elsewhere
	NoticeMoved  NoticeCode = 3 // the connection has moved to the address that this was sent to
)

var noticeNames = [...]string{
	NoticeStepUp: "step up",
	NoticeDrain:  "drain",
	NoticeMoved:  "moved",
}

// String returns the words PROTOCOL.md uses, or "notice N".
func (n NoticeCode) String() string {
	if n >= NoticeStepUp && n <= NoticeMoved {
		return noticeNames[n]
	}
	return "notice " + strconv.Itoa(int(n))
}

// NoticeBody is the body of NOTICE.
//
//	offset size
//	     0    1  code, never 0
//	     1    4  within: milliseconds until the server acts on it
//	     5       detail, 0 to 64 bytes
type NoticeBody struct {
	Code   NoticeCode
	Within uint32
	Detail []byte // text for a log; of drain, it may be a destination: see ParseDestination
}

// ParseNoticeBody reads a body. Detail is part of it. A code that is not known parses. The error is
// ErrMalformed.
func ParseNoticeBody(body []byte) (NoticeBody, error) {
	var b NoticeBody
	c := newParser(body)
	b.Code = NoticeCode(c.Uint8())
	b.Within = c.Uint32()
	b.Detail = c.rest(MaxDetail)
	if !c.Done() || b.Code == 0 {
		return NoticeBody{}, ErrMalformed
	}
	return b, nil
}

// AppendTo appends the body.
func (b NoticeBody) AppendTo(dst []byte) []byte {
	dst = append(dst, byte(b.Code))
	dst = binary.BigEndian.AppendUint32(dst, b.Within)
	return append(dst, b.Detail...)
}
