package token

import "testing"

// "String returns the form in words", "as the claim token_use has it".
func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		FormStandard.String():  "standard",
		FormNakama.String():    "Nakama",
		Form(9).String():       "form 9",
		CognitoAccess.String(): "access",
		CognitoID.String():     "id",
		TokenUse(9).String():   "use 9",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
