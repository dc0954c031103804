package wire

import "testing"

func TestNoAllocs(t *testing.T) {
	buf := make([]byte, 0, 2*MaxHelloBody)
	var block [16]byte
	calls := map[string]func(){
		"TagInput": func() { TagInput(&block, KindData, 1, 2, 3, 4) },
		"Equal":    func() { Tag{}.Equal(Tag{}) },
		"String":   func() { _ = KindData.String() + ReasonLeft.String()[:0] },
	}
	for _, v := range vectors {
		b := v.bytes()
		e, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		calls["envelope of "+v.name] = func() {
			e, _ := Parse(b)
			e.AppendTo(buf)
			PutHeader(buf[:HeaderLen], e)
		}
		calls["body of "+v.name] = bodyCall(e.Kind, v.bodyBytes(), buf)
	}
	body := counting(0, MaxHelloBody)
	var a Assembler
	calls["parts"] = func() {
		for p := range Parts(body) {
			q, _ := ParsePart(p.AppendTo(buf))
			a.Add(start, q)
		}
	}
	for name, f := range calls {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// bodyCall parses and appends by the concrete types, since an interface would allocate.
func bodyCall(k Kind, body, buf []byte) func() {
	switch k {
	case KindHello:
		return func() { m, _ := ParseHello(body); m.AppendTo(buf) }
	case KindWelcome:
		return func() { m, _ := ParseWelcome(body); m.AppendTo(buf) }
	case KindRenew:
		return func() { m, _ := ParseRenew(body); m.AppendTo(buf) }
	case KindRenewed:
		return func() { m, _ := ParseRenewed(body); m.AppendTo(buf) }
	case KindPing:
		return func() { m, _ := ParsePing(body); m.AppendTo(buf) }
	case KindPong:
		return func() { m, _ := ParsePong(body); m.AppendTo(buf) }
	case KindClose:
		return func() { m, _ := ParseCloseBody(body); m.AppendTo(buf) }
	case KindBearer:
		return func() { m, _ := ParseBearerBody(body); m.AppendTo(buf) }
	case KindNotice:
		return func() { m, _ := ParseNoticeBody(body); m.AppendTo(buf) }
	}
	return func() {}
}
