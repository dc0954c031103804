package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// "{"token": "..."} or plain text", by POST, or by GET where that is not allowed.
func TestURL(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"plain":      {say(200, "a.b.c\n"), "a.b.c"},
		"JSON":       {say(200, ` {"token": "a.b.c", "expires": 1}`), "a.b.c"},
		"empty":      {say(200, ""), ""},
		"HTML":       {say(200, "<p>a.b.c</p>"), ""},
		"no token":   {say(200, `{"error": "a.b.c"}`), ""},
		"bad JSON":   {say(200, `{"token": "a.b.c"`), ""},
		"two tokens": {say(200, "a.b.c a.b.c"), ""},
		"refused":    {say(403, "a.b.c"), ""},
		"redirect":   {http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP, ""},
		"longest":    {say(200, strings.Repeat("a", maxAnswer-4)+".b.c"), strings.Repeat("a", maxAnswer-4) + ".b.c"},
		"too long":   {say(200, strings.Repeat("a", maxAnswer-3)+".b.c"), ""},
		"GET only": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			fmt.Fprint(w, "a.b.c")
		}, "a.b.c"},
	} {
		s := httptest.NewServer(c.answer)
		source, err := URL(t.Context(), s.URL)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := source(t.Context()); string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %.20q, %v, want %.20q", name, got, err, c.want)
		}
		s.Close()
	}
}

func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// "only https, or http to this host": nothing is sent, so that no password is.
func TestInTheClear(t *testing.T) {
	for _, u := range []string{"http://idp.example", "http://10.0.0.1", "ftp://127.0.0.1", "", "127.0.0.1:80", "http://localhost.example"} {
		if _, err := URL(t.Context(), u); err == nil {
			t.Errorf("URL took %q", u)
		}
		if _, err := Cognito(t.Context(), SignInConfig{Endpoint: u, Region: "\x7f"}); err == nil {
			t.Errorf("Cognito took %q", u)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := URL(ended, "https://idp.example"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// "client follows no redirects: a password goes where the user said", nor is a token had from elsewhere.
func TestRedirect(t *testing.T) {
	asked := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprint(w, `{"token":"a.b.c","AuthenticationResult":{"AccessToken":"a.b.c"}}`)
	}))
	defer elsewhere.Close()
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		s := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		defer s.Close()
		source, err := URL(t.Context(), s.URL)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := source(t.Context()); err == nil {
			t.Errorf("URL: %d leads to %q", status, got)
		}
		if _, err := Cognito(t.Context(), SignInConfig{Endpoint: s.URL, User: "ann", Password: "pw"}); err == nil {
			t.Errorf("Cognito: %d leads to a token", status)
		}
	}
	if asked > 0 {
		t.Errorf("%d requests went elsewhere", asked)
	}
}

// A pool answers InitiateAuth as Amazon documents it.
type pool struct {
	flows   []string
	refuse  string // an error type, for refreshing
	failure http.HandlerFunc
	made    int
}

func (p *pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		AuthFlow, ClientID string //nolint:tagliatelle // encoding/json folds case
		AuthParameters     map[string]string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" ||
		r.Header.Get("X-Amz-Target") != "AWSCognitoIdentityProviderService.InitiateAuth" || in.ClientID != "game" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.flows = append(p.flows, in.AuthFlow+" "+in.AuthParameters["USERNAME"]+in.AuthParameters["PASSWORD"]+in.AuthParameters["REFRESH_TOKEN"])
	refreshed := in.AuthFlow == "REFRESH_TOKEN_AUTH"
	switch {
	case p.failure != nil:
		p.failure(w, r)
	case refreshed && p.refuse != "":
		say(http.StatusBadRequest, `{"__type":"`+p.refuse+`","message":"no"}`)(w, r)
	default:
		p.made++
		refresh := ""
		if !refreshed {
			refresh = fmt.Sprintf(`,"RefreshToken":"refresh%d"`, p.made)
		}
		fmt.Fprintf(w, `{"AuthenticationResult":{"AccessToken":"access%d","ExpiresIn":3600%s}}`, p.made, refresh)
	}
}

// "the first is that of the sign-in, each further one a refreshed one, or when that is refused one of a new sign-in"
func TestCognitoFlows(t *testing.T) {
	p := &pool{}
	s := httptest.NewServer(p)
	defer s.Close()
	source, err := Cognito(t.Context(), SignInConfig{Endpoint: s.URL, Client: "game", User: "ann", Password: "pw"})
	if err != nil {
		t.Fatal(err)
	}
	want := func(token string) {
		t.Helper()
		if got, err := source(t.Context()); string(got) != token || err != nil {
			t.Errorf("%q, %v, want %q", got, err, token)
		}
	}
	want("access1")
	want("access2")
	want("access3")
	p.refuse = "com.amazonaws.cognito#NotAuthorizedException"
	want("access4")
	p.refuse = ""
	want("access5")
	p.failure = say(http.StatusServiceUnavailable, "{}")
	if _, err := source(t.Context()); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("down: %v", err)
	}
	p.failure = nil
	want("access6")
	got := strings.Join(p.flows, "\n")
	const flows = `USER_PASSWORD_AUTH annpw
REFRESH_TOKEN_AUTH refresh1
REFRESH_TOKEN_AUTH refresh1
REFRESH_TOKEN_AUTH refresh1
USER_PASSWORD_AUTH annpw
REFRESH_TOKEN_AUTH refresh4
REFRESH_TOKEN_AUTH refresh4
REFRESH_TOKEN_AUTH refresh4`
	if got != flows {
		t.Errorf("flows:\n%s", got)
	}
}

func TestCognitoRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		refused bool
	}{
		"wrong password": {say(400, `{"__type":"NotAuthorizedException","message":"Incorrect username or password."}`), true},
		"challenge":      {say(200, `{"ChallengeName":"SMS_MFA","Session":"s"}`), true},
		"too many":       {say(400, `{"__type":"TooManyRequestsException"}`), false},
		"down":           {say(503, `{}`), false},
		"HTML":           {say(200, `<html>`), false},
		"nothing":        {say(200, `{}`), false},
	} {
		s := httptest.NewServer(&pool{failure: c.answer})
		source, err := Cognito(t.Context(), SignInConfig{Endpoint: s.URL, Client: "game", User: "ann", Password: "pw"})
		if source != nil || err == nil || errors.Is(err, ErrRefused) != c.refused || !strings.HasPrefix(err.Error(), "signin: ") {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
}
