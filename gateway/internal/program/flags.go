package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/internal/carrier"
	"github.com/sallyport/sallyport/gateway/internal/filterfeed"
	"github.com/sallyport/sallyport/gateway/sidecar"
	"github.com/sallyport/sallyport/internal/lab/command"
	"github.com/sallyport/sallyport/token"
)

const help = `Sallyport-sidecar puts DTLS and sessions in front of a game server of any language. The game gets plain
datagrams, with the verified player beside each; docs/sidecar.md has the bytes.

  sallyport-sidecar -cert cert.pem -key key.pem -issuer https://id.example.com -audience arena -jwks https://id.example.com/jwks.json

Players come by UDP to -listen; the game listens at -game, on this machine alone. While it is away newcomers are
refused, and players stay for the "hold" of -limits.

Development: -dev makes a certificate and mints identity tokens for whoever asks at -status, which must be a
loopback address. A client of your own signs in there by dev.SignIn(ctx, "127.0.0.1:7780", "alice"). Others read
-dev-file: examples/client, whose players want the game of examples/python-arena, must run in the same folder or be given it.
  sallyport-sidecar -dev -listen 127.0.0.1:7777

Status: GET /live, /ready and /metrics. With -admin the API of package fleet/admin, behind the SPIFFE identity of
SPIFFE_ENDPOINT_SOCKET or of -spiffe-cert, -spiffe-key and -spiffe-bundle.

Lanes: -lanes is a JSON file, an array with an object for each lane: "mode" (unreliable, sequenced, reliable, ordered,
latest) and, where wanted, "priority", "weight", "max_message", "max_age" ("500ms"), "credit", "queue", "parity", "input",
"insure", "receipts". README.md says what each mode promises, go doc transport.Lane the rest:
  [{"mode": "ordered"}, {"mode": "sequenced", "max_age": "500ms"}]

Limits: -limits is a JSON object: "max_players" (1000), "hold" ("10s"); and of what one session may do "datagrams",
"datagram_burst", "bytes", "byte_burst", "flag", "limit", "revoke"; go doc policy.BehaviourConfig says what they mean:
  {"max_players": 100, "hold": "10s", "datagrams": 120}

Agones: with -agones env it tells the SDK server that it is ready, and healthy while it and the game are, and admits
the players in the annotations sallyport.dev/scope and sallyport.dev/players of an allocation. With sallyport.dev/drain
"host:port", and when the GameServer is to end, players go on there without signing in.

WebSockets: with -websocket, players whose network blocks UDP come by a WebSocket at /sallyport there, under
-cert, or without TLS behind a proxy that ends it. DTLS runs inside, from the player to here, all the same. With
-websocket-origins pages of those sites may play there, too: whoever ends a browser's TLS can act as the player.

Filter: with -filter, the directory of sallyport-filter on this host, that program learns where players are, and drops
strangers' datagrams before the kernel's UDP stack has them. Either may come, go and be restarted: what is missing is in
the log, and meanwhile everything passes. What -filter needs of this host and of a container is in docs/deploy.md.

Signals: interrupt and SIGTERM tell every player that the server shuts down, or with -snapshot hand them on to the next
process. SIGHUP, or a change of one of the files, reads -cert and -key, -keys, -fleet-keys and -limits again; the log
names what takes a new process. SIGHUP opens -audit anew.

Exit status: 0 stopped by a signal or an admin's drain, 1 it could not end as it should, 2 a flag, file or address
could not be used.

Flags:
`

// flags is the command line.
type flags struct {
	listen, status, admin          string
	statusHosts                    command.List
	game, own                      string
	mode                           string
	silence                        time.Duration
	claims                         command.List
	lanes, limits                  string
	scope                          string
	cert, key                      string
	issuer, audience, keys, jwks   string
	alg, typ                       string
	fleetKeys, snapshot, audit     string
	spiffeCert, spiffeKey, spiffeB string
	agones                         agonesFlags
	websocket                      carrier.Flags
	filter                         filterfeed.Flags
	dev                            bool
	devFile                        string
}

// define defines every flag.
func (f *flags) define(set *flag.FlagSet) {
	set.StringVar(&f.listen, "listen", gateway.DefaultListen, "UDP `address` for players")
	set.StringVar(&f.status, "status", "127.0.0.1:7780", "HTTP `address` of /live, /ready and /metrics; empty means none")
	set.Var(&f.statusHosts, "status-hosts", "`names` by which a scraper may ask for /metrics, besides IP addresses and localhost, with commas between")
	set.StringVar(&f.admin, "admin", "", "`address` of the admin API, such as "+gateway.DefaultAdmin+"; empty means none")
	set.StringVar(&f.game, "game", sidecar.DefaultGame, "`address` at which the game listens, or unix:/path")
	set.StringVar(&f.own, "own", sidecar.DefaultOwn, "`address` at which the sidecar listens to the game, or unix:/path")
	set.StringVar(&f.mode, "mode", "0600", "permission `bits` of a Unix socket of the sidecar's")
	set.DurationVar(&f.silence, "silence", sidecar.DefaultSilence, "how long the game may be silent before it is considered gone")
	set.Var(&f.claims, "claims", "`names` of claims of the identity token that the game is told, with commas between")
	set.StringVar(&f.lanes, "lanes", "", "JSON `file` with the lanes; empty means payloads alone")
	set.StringVar(&f.limits, "limits", "", "JSON `file` with limits")
	set.StringVar(&f.scope, "scope", "", "the `match` that tokens must be for; empty means any")
	set.StringVar(&f.cert, "cert", "", "PEM `file`: certificate, leaf first")
	set.StringVar(&f.key, "key", "", "PEM `file`: its private key")
	set.StringVar(&f.issuer, "issuer", "", "issuer (iss) of the identity tokens")
	set.StringVar(&f.audience, "audience", "", "audience (aud) that they must name")
	set.StringVar(&f.keys, "keys", "", "PEM or JWK set `file`: the issuer's public keys")
	set.StringVar(&f.jwks, "jwks", "", "`URL` of the issuer's JWK set, in place of -keys")
	set.StringVar(&f.alg, "alg", string(token.ES256), "signature `algorithm`: ES256, RS256 or EdDSA")
	set.StringVar(&f.typ, "typ", "at+jwt", "`type` (typ) of the tokens: at+jwt, or JWT, which may be missing too")
	set.StringVar(&f.fleetKeys, "fleet-keys", "", "`file` with the keys that the fleet shares, a line each, the one that seals first; mode 0600")
	set.StringVar(&f.snapshot, "snapshot", "", "`file` by which the sessions are handed on to the next process; goes with -fleet-keys")
	set.StringVar(&f.audit, "audit", "", "`file` to which trust decisions are appended, one JSON object a line")
	set.StringVar(&f.spiffeCert, "spiffe-cert", "", "PEM `file`: this service's SPIFFE certificate, where no Workload API is")
	set.StringVar(&f.spiffeKey, "spiffe-key", "", "PEM `file`: its key")
	set.StringVar(&f.spiffeB, "spiffe-bundle", "", "PEM `file`: the authorities of the trust domain")
	f.agones.define(set)
	f.websocket.Define(set)
	f.filter.Define(set)
	set.BoolVar(&f.dev, "dev", false, "development: self-signed certificate, built-in issuer")
	set.StringVar(&f.devFile, "dev-file", "sallyport-dev.json", "`file` for what a client needs, with -dev")
}

// parse reads the command line. Without flags to go on with it returns the exit status.
func parse(args []string, stdout, stderr io.Writer) (*flags, int) {
	f := &flags{}
	set := flag.NewFlagSet("sallyport-sidecar", flag.ContinueOnError)
	f.define(set)
	if status, ok := command.Parse(set, help, args, f.check, stdout, stderr); !ok {
		return nil, status
	}
	return f, exitOK
}

// check returns an error for flags that cannot be used. It does not read files.
func (f *flags) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q: everything is a flag", rest[0])
	case f.snapshot != "" && f.fleetKeys == "":
		return errors.New("-snapshot is sealed by -fleet-keys, which the next process must have too: give both")
	case !slices.Contains([]token.Algorithm{token.ES256, token.RS256, token.EdDSA}, token.Algorithm(f.alg)):
		return fmt.Errorf("-alg %q: must be ES256, RS256 or EdDSA", f.alg)
	}
	if _, err := f.bits(); err != nil {
		return err
	}
	if err := f.agones.check(); err != nil {
		return err
	}
	if err := f.websocket.Check(); err != nil {
		return err
	}
	if err := f.filter.Check(f.listen); err != nil {
		return err
	}
	if f.dev {
		return f.checkDev()
	}
	switch {
	case f.cert == "" || f.key == "":
		return errors.New("give -cert and -key, or -dev for development")
	case f.issuer == "" || f.audience == "" || (f.keys == "") == (f.jwks == ""):
		return errors.New("give -issuer, -audience and one of -keys and -jwks, or -dev for development")
	}
	return nil
}

func (f *flags) checkDev() error {
	if f.cert+f.key+f.issuer+f.audience+f.keys+f.jwks != "" {
		return errors.New("-dev brings a certificate and an issuer: leave out -cert, -key, -issuer, -audience, -keys and -jwks")
	}
	if !loopback(f.status) {
		return errors.New("-dev gives a token to whoever asks: -status must be a loopback address, such as 127.0.0.1:7780")
	}
	return nil
}

// bits are the permission bits of -mode.
func (f *flags) bits() (fs.FileMode, error) {
	n, err := strconv.ParseUint(f.mode, 8, 9)
	if err != nil {
		return 0, fmt.Errorf("-mode %q: must be permission bits in octal, such as 0600", f.mode)
	}
	return fs.FileMode(n), nil
}

// loopback reports whether only this machine reaches an address.
func loopback(address string) bool {
	a, err := netip.ParseAddrPort(address)
	return err == nil && a.Addr().IsLoopback()
}
