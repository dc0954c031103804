package doctor

import (
	"crypto"
	"crypto/ed25519"
	"debug/buildinfo"
	"fmt"
	"go/version"
	"runtime/debug"
	"strings"

	"github.com/sallyport/sallyport/audit/chain"
)

const (
	// library is the module that a match server links.
	library = "github.com/sallyport/sallyport"

	// oldestGo is the oldest release of Go that the library is built with.
	oldestGo = "go1.26.5"
)

// checkProgram says how a program was built.
func checkProgram(e *examination) result {
	info, known := e.host.build()
	name := "this program"
	if e.program != "" {
		var err error
		if info, err = buildinfo.ReadFile(e.program); err != nil {
			return fail("Give the server's program, as the go command has built it.", "%s: %v", e.program, err)
		}
		name, known = e.program, true
	}
	if !known {
		return skip("this program does not tell how it was built")
	}
	return judgeBuild(name, info, e.program != "")
}

// judgeBuild looks at how a program was built.
func judgeBuild(name string, info *debug.BuildInfo, server bool) result {
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	engine := "pion/dtls/v2"
	if strings.Contains(","+settings["-tags"]+",", ",sallyport_pion3,") {
		engine = "pion/dtls/v3"
	}
	links := info.Main.Path == library || strings.HasPrefix(info.Main.Path, library+"/") || linked(info, library)
	found := fmt.Sprintf("%s: %s, engine %s", name, info.GoVersion, engine)
	if v := settings["vcs.revision"]; v != "" {
		found += ", revision " + v[:min(len(v), 12)]
	}
	switch release, _, _ := strings.Cut(info.GoVersion, " "); {
	case server && !links:
		return fail("Give the program of the match server.", "%s does not link %s", name, library)
	case version.IsValid(release) && version.Compare(release, oldestGo) < 0:
		return fail("Build it with "+oldestGo+" or newer: older ones have known weaknesses in what it links.", "%s", found)
	case settings["-race"] == "true":
		return warn("Build it without -race for players: it costs many times the processor and memory.", "%s, with the race detector", found)
	case settings["vcs.modified"] == "true":
		return warn("Build what players use from a commit, so that it can be built again.", "%s, with changes that are in no commit", found)
	}
	return ok("%s", found)
}

// linked reports whether a program has a module.
func linked(info *debug.BuildInfo, module string) bool {
	for _, d := range info.Deps {
		if d.Path == module {
			return true
		}
	}
	return false
}

// keyID is the name of a signer's key.
func keyID(signer crypto.Signer) string {
	key, _ := signer.Public().(ed25519.PublicKey)
	return chain.KeyID(key)
}
