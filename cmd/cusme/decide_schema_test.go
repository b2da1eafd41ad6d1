package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestDecideSchemasFitTheTranscript: what the transcript shows is what the schemas describe.
func TestDecideSchemasFitTheTranscript(t *testing.T) {
	t.Parallel()
	a, err := txtar.ParseFile("testdata/script/decide.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for file, schema := range map[string]string{"day.jsonl": "decide-input", "decisions.jsonl": "decide-output"} {
		i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == file })
		for line := range strings.Lines(string(a.Files[i].Data)) {
			if blank([]byte(line)) {
				continue
			}
			if err := fits(schema, line); err != nil {
				t.Errorf("%s: %v\n%s", file, err, line)
			}
		}
	}
}

// TestDecideSchemaJudgesAsTheProgram: a line that the program refuses for its own sake does not fit the schema, and the
// other way round. What it refuses beyond that needs the LoadScaler or the lines before.
func TestDecideSchemaJudgesAsTheProgram(t *testing.T) {
	t.Parallel()
	const now = `{"time":"2026-11-23T17:00:00Z"`
	for line, fine := range map[string]bool{
		now + `}`:          true,
		now + `,"load":3}`: true,
		now + `,"load":null,"loads":null,"replicas":null,"pods":null,"leaving":null,"minReplicas":null,"maxReplicas":null}`: true,
		now + `,"loads":{"backend":null},"news":[]}`: true,
		now + `,"pods":[{"name":"a","created":null,"ready":null,"readySince":"","node":null,"phase":null,"deletionCost":null,"busy":null,"elastic":null,"news":1}]}`:        true,
		now + `,"pods":[{"name":"a","created":"2026-11-23T17:00:00.25+01:00","ready":true,"node":"","phase":"","deletionCost":-1,"busy":true,"elastic":true}],"leaving":3}`: true,
		`{"time":"2026-11-23"}`:                             false,
		`{"time":""}`:                                       false,
		`{"time":null}`:                                     false,
		`{"load":1}`:                                        false,
		`[]`:                                                false,
		now + `,"load":"1"}`:                                false,
		now + `,"loads":[1]}`:                               false,
		now + `,"loads":{"a":"1"}}`:                         false,
		now + `,"replicas":1.5}`:                            false,
		now + `,"replicas":-1}`:                             false,
		now + `,"replicas":2147483648}`:                     false,
		now + `,"leaving":100001}`:                          false,
		now + `,"minReplicas":-1}`:                          false,
		now + `,"maxReplicas":0}`:                           false,
		now + `,"pods":[{}]}`:                               false,
		now + `,"pods":[{"name":""}]}`:                      false,
		now + `,"pods":[{"name":"a","created":"x"}]}`:       false,
		now + `,"pods":[{"name":"a","readySince":1}]}`:      false,
		now + `,"pods":[{"name":"a","phase":"Starting"}]}`:  false,
		now + `,"pods":[{"name":"a","deletionCost":"-1"}]}`: false,
		now + `,"pods":[{"name":"a","busy":"no"}]}`:         false,
	} {
		if err := fits("decide-input", line); (err == nil) != fine {
			t.Errorf("the schema: %v\n%s", err, line)
		}
		if _, err := deciderFor(t, "Deployment", "").decide([]byte(line)); (err == nil) != fine {
			t.Errorf("the program: %v\n%s", err, line)
		}
	}
}
