package elastic

import (
	"fmt"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"
)

// selectedLine is the verdict that a file of testdata/owners asks for.
var selectedLine = regexp.MustCompile(`(?m)^# want: (selected|not selected)$`)

// web is the target of all files in testdata/owners.
var web = Target{
	APIVersion: "apps/v1", Kind: "Deployment", Name: "web",
	PodLabels: map[string]string{"app": "web", "tier": "gpu"},
}

func TestOwners(t *testing.T) {
	seen := map[string]map[bool]bool{}
	for name, text := range files(t, "testdata/owners") {
		want := selectedLine.FindSubmatch(text)
		if want == nil {
			t.Fatalf("%s has no line \"# want: selected\" or \"# want: not selected\"", name)
		}
		var object map[string]any
		if err := yaml.Unmarshal(text, &object); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		owner := ownerOf(t, name, object)
		selected := string(want[1]) == "selected"
		if got := owner.Selects(object, web); got != selected {
			t.Errorf("%s: %s selects: %v, want %v", name, owner.Says, got, selected)
		}
		if seen[owner.Says] == nil {
			seen[owner.Says] = map[bool]bool{}
		}
		seen[owner.Says][selected] = true
	}
	for _, o := range Owners() {
		if len(seen[o.Says]) != 2 {
			t.Errorf("%s: testdata wants %v, want an object that selects and one that does not", o.Says, seen[o.Says])
		}
	}
}

// What is not known of the target must not let an owner go unseen.
func TestSelectsUnknownTarget(t *testing.T) {
	elsewhere := map[string]any{"spec": map[string]any{"selector": map[string]any{"app": "api"}}}
	unknown := Target{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	for _, o := range Owners() {
		if o.Kind != "WorkloadSpread" && (o.Selects(elsewhere, web) || !o.Selects(elsewhere, unknown)) {
			t.Errorf("%s selects a target with other labels, or not one with unknown ones", o.Says)
		}
	}
}

func TestSelectsNothingRead(t *testing.T) {
	for _, o := range append(Owners(), Owner{}) {
		for _, object := range []map[string]any{nil, {}, {"spec": nil}, {"spec": "web"}} {
			if !o.Selects(object, web) {
				t.Errorf("%s does not select with the object %v: what cannot be understood selects everything", o.Says, object)
			}
		}
	}
}

func ownerOf(t *testing.T, name string, object map[string]any) Owner {
	t.Helper()
	for _, o := range Owners() {
		if object["kind"] == o.Kind && object["apiVersion"] == fmt.Sprintf("%s/%s", o.Group, o.Version) {
			return o
		}
	}
	t.Fatalf("%s: no owner has the kind %v of %v", name, object["kind"], object["apiVersion"])
	return Owner{}
}
