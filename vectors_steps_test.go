package sallyport_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// short is hex in a row of a table: of more than 20 bytes the first 18.
func short(digits string) string {
	if len(digits) > 40 {
		return "`" + digits[:36] + "...`"
	}
	if digits == "" {
		return ""
	}
	return "`" + digits + "`"
}

// numberText is the table of 7.2.
func numberText(t *testing.T, data []byte) string {
	var all strings.Builder
	all.WriteString("| what | highest accepted | low 32 bits | restored |\n|---|---|---|---|\n")
	for _, v := range decode[[]struct{ Name, Highest, Low, Restored string }](t, data) {
		fmt.Fprintf(&all, "| %s | `%s` | `%s` | `%s` |\n", v.Name, v.Highest, v.Low, v.Restored)
	}
	return all.String() + "\n"
}

// windowText is the table of 7.3.
func windowText(t *testing.T, data []byte) string {
	var all strings.Builder
	all.WriteString("| what | size | sequences in their order; refused ones in brackets |\n|---|---|---|\n")
	for _, v := range decode[[]struct {
		Name  string
		Size  int
		Steps []struct{ Sequence, Result string }
	}](t, data) {
		var list []string
		for _, s := range v.Steps {
			n := fmt.Sprint(value(s.Sequence))
			if s.Result != "accepted" {
				n = "(" + n + ")"
			}
			list = append(list, n)
		}
		fmt.Fprintf(&all, "| %s | %d | %s |\n", v.Name, v.Size, strings.Join(list, ", "))
	}
	return all.String() + "\n"
}

// partsText is the bodies of envelopes in which a body travels.
func partsText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct {
		Name, Whole string
		Parts       []string
	}](t, data) {
		x := newText(t, v.Name)
		for _, part := range v.Parts {
			x.rest = part
			x.number(2, "total: %d")
			x.number(2, "offset: %d")
			x.data(len(x.rest) / 2)
		}
		all.WriteString(x.end())
	}
	return all.String()
}

// assemblyText is what becomes of parts.
func assemblyText(t *testing.T, data []byte) string {
	var all strings.Builder
	all.WriteString("| parts | each: after ms, kind, total and offset: result |\n|---|---|\n")
	for _, v := range decode[[]struct {
		Name  string
		Steps []struct {
			AtMS               int `json:"at_ms"`
			Kind, Part, Result string
		}
	}](t, data) {
		var list []string
		for _, s := range v.Steps {
			result := s.Result
			if _, err := hex.DecodeString(result); err == nil {
				result = "whole"
			}
			list = append(list, fmt.Sprintf("%d %s %d/%d %s: %s", s.AtMS, s.Kind, value(s.Part[:4]), value(s.Part[4:8]), short(s.Part[8:12]), result))
		}
		fmt.Fprintf(&all, "| %s | %s |\n", v.Name, strings.Join(list, "; "))
	}
	return all.String() + "\n"
}

// destinationText is details of NOTICE.
func destinationText(t *testing.T, data []byte) string {
	var all strings.Builder
	all.WriteString("| detail | as bytes | host and port |\n|---|---|---|\n")
	for _, v := range decode[[]struct {
		Name, Detail string
		Destination  *struct {
			Host string
			Port int
		}
	}](t, data) {
		names := "none"
		if d := v.Destination; d != nil {
			names = fmt.Sprintf("`%s` and %d", d.Host, d.Port)
		}
		fmt.Fprintf(&all, "| %s | %s | %s |\n", v.Name, short(v.Detail), names)
	}
	return all.String() + "\n"
}

// exporterText is the exporters of 6.1.
func exporterText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct {
		Name, Suite, Exporter string

		Master       string `json:"master_secret"`
		ClientRandom string `json:"client_random"`
		ServerRandom string `json:"server_random"`
	}](t, data) {
		x := newText(t, v.Name)
		x.line(v.Suite, "suite")
		x.line(v.Master, "master secret")
		x.line(v.ClientRandom, "client random")
		x.line(v.ServerRandom, "server random")
		x.line(v.Exporter, "exporter")
		all.WriteString(x.end())
	}
	return all.String()
}

// receivedText is datagrams that come one after the other, and what becomes of each.
func receivedText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct {
		Name  string
		Steps []struct {
			AtMS             int `json:"at_ms"`
			Envelope, Result string
		}
	}](t, data) {
		fmt.Fprintf(&all, "**%s**\n\n| ms | envelope | result |\n|---|---|---|\n", v.Name)
		for _, s := range v.Steps {
			fmt.Fprintf(&all, "| %d | `%s` | `%s` |\n", s.AtMS, cutHex(s.Envelope, 48), s.Result)
		}
		all.WriteString("\n")
	}
	return all.String()
}

func cutHex(digits string, n int) string {
	if len(digits) > n {
		return digits[:n] + "..."
	}
	return digits
}

// copiesText is the copies of a CLOSE.
func copiesText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct {
		Name, From string
		Copies     []struct {
			AtMS               int `json:"at_ms"`
			Sequence, Envelope string
		}
	}](t, data) {
		fmt.Fprintf(&all, "**%s**\n\n| ms | from | sequence | envelope |\n|---|---|---|---|\n", v.Name)
		for _, c := range v.Copies {
			fmt.Fprintf(&all, "| %d | %s | `%s` | `%s` |\n", c.AtMS, v.From, c.Sequence, c.Envelope)
		}
		all.WriteString("\n")
	}
	return all.String()
}

// refusedProofText is a table of HELLOs whose proof does not fit.
func refusedProofText(t *testing.T, data []byte) string {
	var all strings.Builder
	all.WriteString("| refused | as | rule |\n|---|---|---|\n")
	for _, v := range decode[[]struct{ Name, Reason, Rule string }](t, data) {
		section, _, _ := strings.Cut(v.Rule, ":")
		fmt.Fprintf(&all, "| %s | `%s` | %s |\n", v.Name, v.Reason, section)
	}
	return all.String() + "\n"
}

// recordText is records, with the keys that protect them.
func recordText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct{ Name, Key, IV, Plaintext, Record string }](t, data) {
		x := newText(t, v.Name)
		x.line(v.Key, "key")
		x.line(v.IV, "iv")
		x.WriteString("\n")
		x.rest = v.Record
		x.number(1, "content type %d")
		x.field(2, "version")
		x.field(2, "DTLS epoch")
		x.number(6, "record number %d")
		x.number(2, "length %d")
		x.field(8, "explicit nonce")
		x.field(len(v.Plaintext)/2, "ciphertext of "+ascii(v.Plaintext))
		x.left("tag")
		all.WriteString(x.end())
	}
	return all.String()
}

// judgedText is a table of acknowledgements and what they are found to be.
func judgedText(t *testing.T, data []byte) string {
	var all strings.Builder
	all.WriteString("| acknowledgement | sent up to | left out | body | result |\n|---|---|---|---|---|\n")
	for _, v := range decode[[]struct {
		Name, Body  string
		HighestSent uint64   `json:"highest_sent"`
		LeftOut     []uint64 `json:"left_out"`
		Result      any
	}](t, data) {
		result := fmt.Sprintf("`%v`", v.Result)
		if list, ok := v.Result.([]any); ok {
			var names []string
			for _, r := range list {
				pair, ok := r.([]any)
				if !ok || len(pair) != 2 {
					t.Fatalf("%s: %v is no range", v.Name, r)
				}
				names = append(names, fmt.Sprintf("%.0f to %.0f", pair...))
			}
			result = strings.Join(names, ", ")
		}
		fmt.Fprintf(&all, "| %s | %d | %s | `%s` | %s |\n", v.Name, v.HighestSent, ranges(v.LeftOut), v.Body, result)
	}
	return all.String() + "\n"
}

// takingText is bodies that come one after the other, and what a receiver makes of each.
func takingText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct {
		Name  string
		Steps []struct {
			Body, Result string
			Delivers     []struct {
				messageVector

				ID uint64
			}
		}
	}](t, data) {
		fmt.Fprintf(&all, "**%s**\n\n| body | result | delivers |\n|---|---|---|\n", v.Name)
		for _, s := range v.Steps {
			var list []string
			for _, d := range s.Delivers {
				if d.Key != nil {
					list = append(list, d.messageVector.String())
				} else {
					list = append(list, fmt.Sprintf("message %d on %v", d.ID, d.messageVector))
				}
			}
			fmt.Fprintf(&all, "| %s | %s | %s |\n", frameList(t, s.Body), s.Result, strings.Join(list, "; "))
		}
		all.WriteString("\n")
	}
	return all.String()
}
