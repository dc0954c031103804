package nakamabridge

//lint:file-ignore ST1003,ST1005 The names of methods, and the texts of errors, are Nakama's.

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/runtime"
)

// nakama models what of Nakama 3.40.0 sign-in rests on: accounts with a custom id, sessions with variables, and hooks
// that run first. Without hooks it has the four ways around the issuer that the real server has.
type nakama struct {
	runtime.Initializer // for what the bridge does not register

	mu       sync.Mutex
	accounts map[string]*api.Account // by user id
	customs  map[string]string       // custom id → user id
	devices  map[string]string       // device id → user id
	queries  int
	down     bool          // the database
	latency  time.Duration // of a query of several accounts; constant once there is one

	authenticate before[*api.AuthenticateCustomRequest]
	signedIn     afterSignIn
	refresh      before[*api.SessionRefreshRequest]
	link, unlink before[*api.AccountCustom]
	loggedOut    afterLogout
	rpcs         map[string]rpc
	others       map[string]func(ctx context.Context) error
}

func newNakama() *nakama {
	n := &nakama{accounts: map[string]*api.Account{}, customs: map[string]string{}, devices: map[string]string{}}
	n.rpcs = map[string]rpc{}
	n.others = map[string]func(context.Context) error{}
	return n
}

// login is a signed-in client.
type login struct {
	userID, username string
	vars             map[string]string
}

// Errors of Nakama, word for word. Those of AuthenticateCustom are gRPC statuses.
var (
	errNone   = errors.New("account not found")
	errAbsent = errors.New("rpc error: code = NotFound desc = User account not found.")
	errBanned = errors.New("rpc error: code = PermissionDenied desc = User account banned.")
	errQuery  = errors.New("rpc error: code = Internal desc = Error finding user account.")
	errDown   = errors.New("driver: bad connection")
)

// create makes an account; a username that is taken is refused, as its column is unique.
func (n *nakama) create(username string) (*api.Account, error) {
	for _, a := range n.accounts {
		if a.User.Username == username {
			return nil, errors.New("username is already in use")
		}
	}
	a := &api.Account{User: &api.User{Id: newUUID(), Username: username}}
	n.accounts[a.User.Id] = a
	return a, nil
}

// authenticateCustom is POST /v2/account/authenticate/custom?create=true.
func (n *nakama) authenticateCustom(ctx context.Context, in *api.AuthenticateCustomRequest) (*login, error) {
	if n.authenticate != nil {
		var err error
		if in, err = n.authenticate(ctx, nil, nil, nil, in); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	userID, ok := n.customs[in.Account.Id]
	if !ok {
		account, err := n.create(in.Username)
		if err != nil {
			return nil, err
		}
		userID, account.CustomId = account.User.Id, in.Account.Id
		n.customs[account.CustomId] = userID
	}
	l := &login{userID, n.accounts[userID].User.Username, in.Account.Vars}
	if n.signedIn != nil {
		ctx = with(ctx, runtime.RUNTIME_CTX_USER_ID, userID)
		return l, n.signedIn(ctx, nil, nil, nil, &api.Session{Created: !ok}, in)
	}
	return l, nil
}

// sessionRefresh is POST /v2/account/session/refresh: "Use updated vars if they are provided".
func (n *nakama) sessionRefresh(ctx context.Context, l *login, vars map[string]string) (*login, error) {
	in := &api.SessionRefreshRequest{Token: l.refreshToken(), Vars: vars}
	if n.refresh != nil {
		var err error
		if in, err = n.refresh(ctx, nil, nil, nil, in); err != nil {
			return nil, err
		}
	}
	fresh := &login{l.userID, l.username, maps.Clone(l.vars)}
	if len(in.Vars) > 0 {
		fresh.vars = in.Vars
	}
	return fresh, nil
}

// refreshToken names the user as Nakama's does.
func (l *login) refreshToken() string {
	return "header." + base64.RawURLEncoding.EncodeToString([]byte(`{"tid":"t","uid":"`+l.userID+`"}`)) + ".signature"
}

// linkCustom is POST /v2/account/link/custom.
func (n *nakama) linkCustom(ctx context.Context, l *login, id string) error {
	in := &api.AccountCustom{Id: id}
	if n.link != nil {
		var err error
		if in, err = n.link(l.context(ctx), nil, nil, nil, in); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if owner, taken := n.customs[in.Id]; taken && owner != l.userID {
		return errors.New("custom id is already in use")
	}
	n.customs[in.Id], n.accounts[l.userID].CustomId = l.userID, in.Id
	return nil
}

// authenticateDevice is POST /v2/account/authenticate/device.
func (n *nakama) authenticateDevice(ctx context.Context, id, username string) (*login, error) {
	if hook := n.others["AuthenticateDevice"]; hook != nil {
		if err := hook(ctx); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.devices[id] == "" {
		account, err := n.create(username)
		if err != nil {
			return nil, err
		}
		n.devices[id] = account.User.Id
	}
	return &login{userID: n.devices[id], username: username}, nil
}

// rpc calls the RPC, over a socket if sid is not empty.
func (n *nakama) rpc(ctx context.Context, l *login, sid, payload string) (string, error) {
	ctx = l.context(ctx)
	if sid != "" {
		ctx = with(ctx, runtime.RUNTIME_CTX_SESSION_ID, sid)
	}
	return n.rpcs[ConnectRPC](ctx, nil, nil, nil, payload)
}

func (n *nakama) ban(userID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.accounts[userID]
	a.DisableTime = fresh(a.DisableTime)
	a.DisableTime.Seconds = 1
}

// afterSignIn and afterLogout are hooks that Nakama calls after it has acted.
type (
	afterSignIn = func(
		ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule,
		out *api.Session, in *api.AuthenticateCustomRequest,
	) error
	afterLogout = func(
		ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, in *api.SessionLogoutRequest,
	) error
	rpc = func(
		ctx context.Context, logger runtime.Logger, db *sql.DB, nk runtime.NakamaModule, payload string,
	) (string, error)
)

// fresh is a new value of a type that only protobuf names.
func fresh[T any](*T) *T { return new(T) }

func (n *nakama) AccountGetId(_ context.Context, userID string) (*api.Account, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queries++
	a := n.accounts[userID]
	switch {
	case n.down:
		return nil, errDown
	case a == nil:
		return nil, errNone
	}
	return a, nil
}

func (n *nakama) AccountsGetId(ctx context.Context, userIDs, _ []string) (found []*api.Account, err error) {
	select {
	case <-time.After(n.latency):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, errDown
	}
	for _, id := range userIDs {
		if a := n.accounts[id]; a != nil {
			found = append(found, a)
		}
	}
	return found, nil
}

func (n *nakama) AuthenticateCustom(_ context.Context, id, _ string, create bool) (userID, name string, created bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queries++
	userID = n.customs[id]
	switch {
	case n.down:
		return "", "", false, errQuery
	case userID == "" || create:
		return "", "", false, errAbsent
	case banned(n.accounts[userID]):
		return "", "", false, errBanned
	}
	return userID, n.accounts[userID].User.Username, false, nil
}

// context is what Nakama says of a client's call.
func (l *login) context(ctx context.Context) context.Context {
	ctx = with(ctx, runtime.RUNTIME_CTX_USER_ID, l.userID)
	ctx = with(ctx, runtime.RUNTIME_CTX_USERNAME, l.username)
	return with(ctx, runtime.RUNTIME_CTX_VARS, l.vars)
}

// with is context.WithValue with Nakama's kind of keys.
func with(ctx context.Context, key string, value any) context.Context {
	return valued{ctx, key, value}
}

type valued struct {
	context.Context
	key   string
	value any
}

func (v valued) Value(key any) any {
	if key == v.key {
		return v.value
	}
	return v.Context.Value(key)
}

// code fails unless err is a runtime error of this code.
func code(t testing.TB, err error, want int) {
	t.Helper()
	e, ok := errors.AsType[*runtime.Error](err)
	if !ok || e.Code != want {
		t.Errorf("got %v, want an error of code %d", err, want)
	}
}
