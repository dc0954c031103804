package admin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// "OnCall … is called for each call that was answered: with its operation as openapi.yaml names it,
// empty for an unknown one".
func TestOnCall(t *testing.T) {
	t.Parallel()
	var told []string
	h, err := Handler(Config{Server: calm{}, Identity: calm{}, OnCall: func(operation string, status int, took time.Duration) {
		if took < 0 {
			t.Errorf("%s took %v", operation, took)
		}
		told = append(told, fmt.Sprint(operation, " ", status))
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/stats", "/openapi.yaml", "/v1/secrets"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	if want := []string{"getStats 200", "document 200", " 403"}; !slices.Equal(told, want) {
		t.Errorf("told of %q, want %q", told, want)
	}
}
