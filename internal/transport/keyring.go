package transport

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"cusme.dev/cusme/api/v1alpha1"
)

// A keyring has the values of one namespace's Secrets, and remembers the last
// of each, so that they can be hidden where an endpoint repeats them.
type keyring struct {
	secrets   Secrets
	namespace string

	mu   sync.Mutex
	used map[string]string // by what they are
}

func (d *Door) keyring(namespace string) *keyring {
	return &keyring{secrets: d.Secrets, namespace: namespace, used: map[string]string{}}
}

// value returns the value of a key as it is now, without white space around it.
func (k *keyring) value(ctx context.Context, key v1alpha1.SecretKey) (string, error) {
	if k.secrets == nil {
		return "", errors.New("no Secrets can be read here")
	}
	text, err := k.secrets.Value(ctx, k.namespace, key.Name, key.Key)
	if err != nil {
		return "", err
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fmt.Errorf("the key %s of Secret %s/%s is empty: expected a value", key.Key, k.namespace, key.Name)
	}
	k.remember(key.Name+"/"+key.Key, text)
	return text, nil
}

// remember hides a text from now on, in place of the last that was the same thing.
func (k *keyring) remember(what, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used[what] = text
}

// mask hides what is remembered.
func (k *keyring) mask() *strings.Replacer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return Hide(maps.Values(k.used))
}

// Hide hides secrets wherever somebody repeats them: as they are, and as URLs,
// JSON and HTML write them.
func Hide(secrets iter.Seq[string]) *strings.Replacer {
	var texts []string
	for secret := range secrets {
		texts = append(texts, spellings(secret)...)
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // of two that begin alike the longer is hidden whole
	var pairs []string
	for _, text := range texts {
		pairs = append(pairs, text, "***")
	}
	return strings.NewReplacer(pairs...)
}

// spellings are the ways to write a text.
func spellings(text string) []string {
	all := []string{text, url.QueryEscape(text), url.PathEscape(text), html.EscapeString(text)}
	for _, escapeHTML := range []bool{true, false} {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(escapeHTML)
		_ = e.Encode(text) // every text can be written
		quoted := strings.TrimSpace(b.String())
		inside := quoted[1 : len(quoted)-1]
		all = append(all, inside, strings.ReplaceAll(inside, "/", `\/`)) // PHP writes \/
	}
	return all
}
