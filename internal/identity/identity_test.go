package identity

import (
	"reflect"
	"strings"
	"testing"
)

func sample() Identity {
	return Of("alice", []string{"vip", "staff"}, map[string]any{
		"rank": "gold", "level": 7.5, "muted": false, "beta": true, "skins": []string{"red", ""}, "blob": nil, "empty": "", "other": "x",
	}, []string{"rank", "level", "muted", "beta", "skins", "blob", "guild", "empty"})
}

// Three answers to each question, and none that the caller has not given.
func TestAnswers(t *testing.T) {
	absent := Of("", nil, nil, []string{"rank"})
	for name, test := range map[string]struct{ got, want any }{
		"user name":           {sample().UserName().Text("absent", "unknown"), "alice"},
		"no user name":        {absent.UserName().Text("absent", "unknown"), "absent"},
		"user name, unknown":  {Identity{}.UserName().Text("absent", "unknown"), "unknown"},
		"groups":              {sample().Groups(nil), []string{"vip", "staff"}},
		"no groups":           {absent.Groups([]string{"unknown"}), []string(nil)},
		"groups, unknown":     {Identity{}.Groups([]string{"unknown"}), []string{"unknown"}},
		"in group":            {sample().InGroup("staff", false), true},
		"in another":          {sample().InGroup("admin", true), false},
		"in none":             {absent.InGroup("staff", true), false},
		"in group, unknown":   {Identity{}.InGroup("staff", true), true},
		"in group, unknown 2": {Identity{}.InGroup("staff", false), false},
		"text":                {sample().Claim("rank").Text("absent", "unknown"), "gold"},
		"empty text":          {sample().Claim("empty").Text("absent", "unknown"), ""},
		"number":              {sample().Claim("level").Number(1, 2), 7.5},
		"false":               {sample().Claim("muted").Bool(true, true), false},
		"true":                {sample().Claim("beta").Bool(false, false), true},
		"list":                {sample().Claim("skins").Texts(nil, nil), []string{"red", ""}},
		"another type":        {sample().Claim("rank").Number(1, 2), 1.0},
		"absent":              {sample().Claim("guild").Text("absent", "unknown"), "absent"},
		"does not fit":        {sample().Claim("blob").Text("absent", "unknown"), "unknown"},
		"not kept":            {sample().Claim("other").Text("absent", "unknown"), "unknown"},
		"no name":             {sample().Claim("").Text("absent", "unknown"), "unknown"},
		"state":               {sample().Claim("rank").State().String(), "present"},
		"state, absent":       {absent.Claim("rank").State().String(), "absent"},
		"state, unknown":      {Claim{}.State().String(), "unknown"},
		"nobody":              {Nobody(absent), true},
		"somebody":            {Nobody(sample()), false},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
}

// A text of any length is known or unknown, and never another one: some issuers' user names are long,
// and a game's own Verifier may know texts for which an item has no room.
func TestLongTexts(t *testing.T) {
	for n, want := range map[int]State{255: Present, 256: Present, 512: Present, 1<<16 - 1: Present, 1 << 16: Unknown, 1<<16 + 3: Unknown} {
		long := strings.Repeat("x", n)
		id := Of(long, []string{"vip", long}, map[string]any{"text": long, "list": []string{"a", long}, "last": "z"}, []string{"text", "list", "last"})
		if _, ok := Parse(Bytes(id)); !ok || id.Claim("last").Text("", "") != "z" {
			t.Errorf("%d bytes: what follows is %v", n, id.Claim("last"))
		}
		for what, c := range map[string]Claim{"user name": id.UserName(), "groups": id.find(whatGroups, ""), "text": id.Claim("text"), "list": id.Claim("list")} {
			if c.State() != want {
				t.Errorf("%d bytes: %s is %v, want %v", n, what, c.State(), want)
			}
		}
		if want == Present && (id.UserName().Text("", "") != long || !id.InGroup(long, false) || id.Claim("text").Text("", "") != long) {
			t.Errorf("%d bytes: another text", n)
		}
	}
}

// A part has whole items, as many as fit, and what is left out is unknown: never absent.
func TestPart(t *testing.T) {
	whole := sample()
	for limit := range len(Bytes(whole)) + 2 {
		p := Part(whole, limit)
		if _, ok := Parse(Bytes(p)); !ok || len(Bytes(p)) > limit {
			t.Fatalf("%d bytes of %d, parsed %v", len(Bytes(p)), limit, ok)
		}
		for _, name := range []string{"rank", "level", "muted", "beta", "skins", "guild", "empty"} {
			if got, want := p.Claim(name), whole.Claim(name); got.State() != Unknown && !reflect.DeepEqual(got, want) {
				t.Errorf("%d bytes: %s is %v, want %v", limit, name, got, want)
			}
		}
	}
	if Part(whole, len(Bytes(whole))) != whole || Part(whole, 0) != (Identity{}) {
		t.Error("all of it, and nothing")
	}
	long := Part(Of(strings.Repeat("u", 200), nil, map[string]any{"rank": "gold"}, []string{"rank"}), 160)
	if long.UserName().State() != Unknown || long.Claim("rank").Text("", "") != "gold" {
		t.Errorf("%q", Bytes(long))
	}
}

// What was not written here is refused.
func TestParse(t *testing.T) {
	good := Bytes(sample())
	for n := range good {
		if i, ok := Parse(good[:n]); ok && Part(i, n) != i {
			t.Errorf("%d bytes", n)
		}
	}
	for name, b := range map[string]string{
		"what 0": "\x00\x00", "what 4": "\x04\x00", "kind 6": "\x01\x06", "no name": "\x03\x00\x00", "no value": "\x01",
		"text a byte short": "\x01\x01\x00\x02x", "number": "\x03\x01x\x02\x00", "list": "\x02\x05\x01",
		"user name twice": "\x01\x00\x01\x00", "groups before user name": "\x02\x00\x01\x00", "claim before groups": "\x03\x01x\x00\x02\x00",
	} {
		if _, ok := Parse(b); ok {
			t.Errorf("%s: taken", name)
		}
	}
	if _, ok := Parse(""); !ok {
		t.Error("nothing is refused")
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add(Bytes(sample()), 160)
	f.Add("\x01\x00\x02\x00", 1)
	f.Add("\x03\x01x\x05\xff", 3)
	f.Fuzz(func(t *testing.T, b string, limit int) {
		i, ok := Parse(b)
		if !ok {
			return
		}
		if Bytes(i) != b {
			t.Fatalf("%x comes back as %x", b, Bytes(i))
		}
		i.UserName()
		i.Groups(nil)
		if p, ok := Parse(Bytes(Part(i, limit))); !ok || len(Bytes(p)) > max(limit, 0) {
			t.Fatalf("%x: a part of %d bytes is %x", b, limit, Bytes(p))
		}
	})
}
