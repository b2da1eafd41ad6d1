package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// fetched are the files from npm, as package uplot 1.6.32 has them. make assets
// fetches them by package-lock.json, whose checksum npm holds the package to.
var fetched = map[string]string{
	"uplot.LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
	"uplot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
	"uplot.min.js":  "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
}

func TestAssetsAreThoseOfThePackage(t *testing.T) {
	for name, want := range fetched {
		content, err := os.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("assets/%s: expected SHA-256 %s, got %s: run make assets, and write the sum here if the version is meant to change", name, want, got)
		}
	}
}

func TestAssetsHaveOneVersion(t *testing.T) {
	var lock struct {
		Packages map[string]struct{ Version, Integrity, License string }
	}
	content, err := os.ReadFile("assets/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &lock); err != nil {
		t.Fatal(err)
	}
	p := lock.Packages["node_modules/uplot"]
	if !strings.HasPrefix(p.Integrity, "sha512-") || p.License != "MIT" {
		t.Errorf("expected uplot under MIT with a SHA-512, got %+v", p)
	}
	if script := text("uplot.min.js"); !strings.HasPrefix(script, "/*! https://github.com/leeoniya/uPlot (v"+p.Version+") */") {
		t.Errorf("expected the script of version %s, got %.60q", p.Version, script)
	}
}
