package dev

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// An error quotes the beginning of an answer that no Login gives.
func TestSignInQuotesLittle(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "teapot "+strings.Repeat("x", maxAnswer), http.StatusTeapot)
	}))
	defer s.Close()
	_, _, err := SignIn(t.Context(), s.Listener.Addr().String(), "alice")
	if err == nil || !strings.Contains(err.Error(), "teapot") || len(err.Error()) > maxQuoted+200 {
		t.Errorf("%d bytes: %.300v", len(err.Error()), err)
	}
}
