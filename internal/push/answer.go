package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apiserver/pkg/authentication/user"
)

// A refusal is an answer other than 204.
type refusal struct {
	status int
	result string // for the counter
	says   string
	cause  error // for the log; the sender needs not know what is behind cusme
}

func (r refusal) Error() string { return r.says }

// Results of a push, as they are counted.
const (
	accepted        = "accepted"
	forwarded       = "forwarded"
	invalid         = "invalid"
	unauthenticated = "unauthenticated"
	denied          = "denied"
	unknown         = "unknown"
	limited         = "limited"
	unavailable     = "unavailable"
)

func refuse(status int, result, format string, args ...any) error {
	return refusal{status: status, result: result, says: fmt.Sprintf(format, args...)}
}

// cannot is the refusal of what may work a moment later.
func cannot(says string, cause error) error {
	return refusal{http.StatusServiceUnavailable, unavailable, says, cause}
}

// comeBack is how many seconds a sender should wait that is limited, or came at a moment without a leader.
const comeBack = "1"

// forwardedHeader marks what another replica handed on.
const forwardedHeader = "Cusme-Forwarded"

// ServeHTTP takes one load, or says in a sentence why not.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	l := letter{Request: req}
	if err := l.address(); err != nil {
		r.turnAway(w, l, err)
		return
	}
	if err := r.admit(&l); err != nil {
		r.turnAway(w, l, err)
		return
	}
	if !r.Leading() {
		r.forward(w, l)
		return
	}
	if err := r.take(&l); err != nil {
		r.turnAway(w, l, err)
		return
	}
	r.Count(accepted)
	w.WriteHeader(http.StatusNoContent)
}

// turnAway answers with a refusal.
func (r *Receiver) turnAway(w http.ResponseWriter, l letter, err error) {
	var why refusal
	if !errors.As(err, &why) {
		why = refusal{http.StatusServiceUnavailable, unavailable, "cusme cannot take loads at the moment", err}
	}
	r.Count(why.result)
	about := []any{"sender", l.from(), "loadScaler", l.scaler(), "status", why.status, "why", why.says}
	if why.cause != nil {
		about = append(about, "cause", why.cause.Error())
	}
	r.complaints.tell(l.from(), "a pushed load was refused", about...)
	switch why.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", comeBack)
	}
	http.Error(w, why.says, why.status)
}

// A letter is one request, as far as it is understood.
type letter struct {
	*http.Request
	namespace, name string
	token           string
	sender          user.Info // nil before it is known
}

// scaler names the LoadScaler; empty before it is known.
func (l letter) scaler() string { return strings.Trim(l.namespace+"/"+l.name, "/") }

// from names who sends: the account, or before that is known the host.
func (l letter) from() string {
	if l.sender != nil {
		return l.sender.GetName()
	}
	host, _, _ := net.SplitHostPort(l.RemoteAddr)
	return host
}

// address reads the path.
func (l *letter) address() error {
	rest, ok := strings.CutPrefix(l.URL.Path, "/v1/loads/")
	namespace, name, whole := strings.Cut(rest, "/")
	if !ok || !whole || len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return refuse(http.StatusNotFound, invalid, "expected the path /v1/loads/NAMESPACE/NAME of a LoadScaler")
	}
	if l.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, invalid, "expected POST, got %s", l.Method)
	}
	l.namespace, l.name = namespace, name
	return nil
}

// take walks a letter through the house. What a LoadScaler's name tells is told
// only after the right: 403 is the same whether there is one or not.
func (r *Receiver) take(l *letter) (err error) {
	ctx, cancel := context.WithTimeout(l.Context(), reviewTimeout)
	defer cancel()
	if l.sender, err = r.judge.who(ctx, l.token); errors.Is(err, errNobody) {
		return refuse(http.StatusUnauthorized, unauthenticated, "the token is not known to the API server: it may have expired, or be for another audience")
	} else if err != nil {
		return cannot("the token cannot be reviewed at the moment", err)
	}
	r.acquaintances.meet(l.token)
	if !r.limits.sender.allow(l.sender.GetName()) {
		return refuse(http.StatusTooManyRequests, limited, "%s sends more than %d loads per second", l.sender.GetName(), perSecond)
	}
	switch may, err := r.judge.may(ctx, l.sender, l.namespace, l.name); {
	case err != nil:
		return cannot("the right cannot be reviewed at the moment", err)
	case !may:
		return refuse(http.StatusForbidden, denied, "%s may not create loadscalers/readings of %s in namespace %s", l.sender.GetName(), l.name, l.namespace)
	}
	if !r.limits.scaler.allow(l.scaler()) {
		return refuse(http.StatusTooManyRequests, limited, "LoadScaler %s is sent more than %d loads per second", l.scaler(), perSecond)
	}
	load, err := l.read()
	if err != nil {
		return err
	}
	return r.deliver(l, load)
}

func (r *Receiver) deliver(l *letter, load Load) error {
	err := r.Deliver(l.Context(), load)
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(Unknown)):
		return refuse(http.StatusNotFound, unknown, "%v", err)
	case errors.As(err, new(NotYet)):
		return cannot(err.Error(), nil)
	default:
		return refuse(http.StatusBadRequest, invalid, "%v", err)
	}
}

// expected is what a body looks like.
const expected = `expected JSON such as {"load": "backend", "value": 0.83, "observedAt": "2026-03-01T12:00:00Z"}`

// text reads the whole body.
func (l *letter) text() ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(nil, l.Body, bodyLimit))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return nil, refuse(http.StatusRequestEntityTooLarge, invalid, "expected a body of at most %d bytes", bodyLimit)
	} else if err != nil {
		return nil, refuse(http.StatusBadRequest, invalid, "the body broke off; expected all of it within %s", readTimeout)
	}
	return text, nil
}

// read understands the body.
func (l *letter) read() (Load, error) {
	text, err := l.text()
	if err != nil {
		return Load{}, err
	}
	var body struct {
		Load       string   `json:"load"`
		Value      *float64 `json:"value"`
		ObservedAt string   `json:"observedAt"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return Load{}, refuse(http.StatusBadRequest, invalid, "%s; %s", expected, plainly(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Load{}, refuse(http.StatusBadRequest, invalid, "%s; it goes on after that", expected)
	}
	if body.Value == nil {
		return Load{}, refuse(http.StatusBadRequest, invalid, "value: expected a number, got none")
	}
	load := Load{Namespace: l.namespace, Name: l.name, Load: body.Load, Value: *body.Value}
	if body.ObservedAt == "" {
		return load, nil
	}
	load.At, err = time.Parse(time.RFC3339, body.ObservedAt)
	if err != nil || load.At.IsZero() {
		return Load{}, refuse(http.StatusBadRequest, invalid, "observedAt: expected a time such as 2026-03-01T12:00:00Z, got %q", body.ObservedAt)
	}
	return load, nil
}

// plainly says what is wrong with a body, in the body's words and not Go's.
func plainly(err error) string {
	kinds := map[reflect.Kind]string{reflect.Float64: "a finite number", reflect.String: "a string", reflect.Struct: "an object"}
	if mismatch := (*json.UnmarshalTypeError)(nil); errors.As(err, &mismatch) {
		return strings.TrimPrefix(fmt.Sprintf("%s: expected %s, got %s", mismatch.Field, kinds[mismatch.Type.Kind()], mismatch.Value), ": ")
	}
	if errors.Is(err, io.EOF) {
		return "the body is empty"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
