package sallyport_test

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

const deployDocument = "docs/deploy.md"

// "Tests hold the figures here to the code." docs/deploy.md
func TestDeployFigures(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	sources, err := policy.SourceConfig{}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	crowd, err := policy.SourceConfig{PerSecond: 500, Burst: 1000}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	limits, err := session.Config{FleetKeys: &fleetkey.Ring{}}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	buffer, overhead := number(t, "internal/udp", "kernelBuffer"), dtls.MaxDatagram-transport.MaxPayload
	read, err := os.ReadFile(deployDocument)
	if err != nil {
		t.Fatal(err)
	}
	text := plain(string(read))
	for _, sentence := range []string{
		fmt.Sprintf("Each socket asks for %s bytes in either direction", grouped(buffer)),
		fmt.Sprintf("net.core.rmem_max = %d net.core.wmem_max = %[1]d", buffer),
		fmt.Sprintf("should be %s for each of sallyport_sockets", grouped(2*buffer)),
		fmt.Sprintf("No datagram of a session is longer than %s bytes", grouped(dtls.MaxDatagram)),
		fmt.Sprintf("a game's payload has at most %s of them", grouped(transport.MaxPayload)),
		fmt.Sprintf("must carry %s bytes of IP", grouped(dtls.MaxDatagram+40+8)),
		fmt.Sprintf("keep a budget of their own for %s after they leave", spoken(t, "internal/sources", "LatelyLive")),
		fmt.Sprintf("| handshakes begun a second, in the long run | %d |", sources.PerSecond),
		fmt.Sprintf("| handshakes begun at once | %d |", sources.Burst),
		fmt.Sprintf("| handshakes without a returned cookie | %d |", sources.Unproven),
		fmt.Sprintf("An IPv6 /56 has %d times as much, a /48 %d times",
			number(t, "internal/sources", "tierFactor"), number(t, "internal/sources", "tierFactor")*number(t, "internal/sources", "tierFactor")),
		fmt.Sprintf("policy.SourceConfig{PerSecond: %d, Burst: %d}", crowd.PerSecond, crowd.Burst),
		fmt.Sprintf("on all handshakes together: %s under way (MaxHandshakes), each for %s at most",
			grouped(number(t, "transport", "defaultMaxHandshakes")), spoken(t, "transport", "defaultHandshakeTimeout")),
		fmt.Sprintf("accepted with a life of up to %s (token.Profile.MaxLife), those of Amazon Cognito with up to %s",
			say(token.DefaultLife), say(token.DefaultCognitoLife)),
		fmt.Sprintf("needs token.Profile.Leeway, up to %s", say(token.MaxLeeway)),
		fmt.Sprintf("has stood still for less than %s", spoken(t, "statuspage", "deadTime")),
		fmt.Sprintf("it has taken none for %s", spoken(t, "statuspage", "lookTime")),
		fmt.Sprintf("the players' goodbyes take %s at most", spoken(t, "transport", "closeTime")),
		fmt.Sprintf("| sessions | %s | session.Config.MaxSessions |", grouped(limits.MaxSessions)),
		fmt.Sprintf("| sessions of one player | %d |", limits.MaxPerSubject),
		fmt.Sprintf("| silence that ends a session | %s |", say(limits.Idle)),
		fmt.Sprintf("| bans, revocations | %s each |", grouped(limits.MaxBans)),
		fmt.Sprintf("| datagrams a second of one session | %d |", limits.Behaviour.Datagrams),
		fmt.Sprintf("A payload costs %d bytes in its datagram", overhead),
		fmt.Sprintf("100 players at 60 Hz with 200 bytes each way need about %.1f MB/s", float64(100*60*(200+overhead+28))/1e6),
	} {
		if !strings.Contains(text, sentence) {
			t.Errorf("%s does not say %q", deployDocument, sentence)
		}
	}
	if limits.MaxBans != limits.MaxRevocations {
		t.Error("bans and revocations are bounded differently")
	}
}

// Every folder, file and heading that the page links to exists.
func TestDeployLinks(t *testing.T) {
	text, err := os.ReadFile(deployDocument)
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1)
	for _, l := range links {
		file := filepath.Join("docs", l[1])
		if l[1] == "" {
			file = deployDocument
		}
		target, err := os.ReadFile(file)
		if info, e := os.Stat(file); e == nil && info.IsDir() && l[2] == "" {
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		title := strings.ReplaceAll(strings.TrimPrefix(l[2], "#"), "-", " ")
		if !strings.Contains(strings.ToLower(string(target)), "# "+title+"\n") && l[2] != "" {
			t.Errorf("%s has no heading %q", file, title)
		}
	}
	if len(links) < 15 {
		t.Errorf("only %d links", len(links))
	}
}

// number evaluates a constant of a package, exported or not.
func number(t *testing.T, dir, name string) int {
	t.Helper()
	units := strings.NewReplacer("time.Millisecond", "1000000", "time.Second", "1000000000", "time.Minute", "60000000000", "time.Hour", "3600000000000")
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != gotoken.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for i, n := range v.Names {
					if n.Name != name || i >= len(v.Values) {
						continue
					}
					value, err := types.Eval(gotoken.NewFileSet(), nil, gotoken.NoPos, units.Replace(types.ExprString(v.Values[i])))
					if err != nil {
						t.Fatalf("%s.%s: %v", dir, name, err)
					}
					whole, _ := constant.Int64Val(constant.ToInt(value.Value))
					return int(whole)
				}
			}
		}
	}
	t.Fatalf("package %s has no constant %s", dir, name)
	return 0
}

// spoken is a constant that is a duration, in words.
func spoken(t *testing.T, dir, name string) string {
	t.Helper()
	return say(time.Duration(number(t, dir, name)))
}

// say is a duration in the words of the documents.
func say(d time.Duration) string {
	switch {
	case d == time.Hour:
		return "1 hour"
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// grouped is a number with commas.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
