package load

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"k8s.io/utils/lru"
)

const (
	// costLimit bounds one evaluation. CEL counts about one unit per step, and
	// takes some 10 ms for so many; a map over 1000 workers costs some 15,000.
	costLimit = 100_000
	// textLimit bounds an expression, in characters.
	textLimit = 4096
	// clockSkew is how far ahead of cusme's clock an application's may be.
	clockSkew = time.Minute
)

// environment is what expressions may use. The libraries' versions are pinned,
// so that a newer library never changes what an expression means.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(append(slices.Concat(lists(), texts()),
		cel.Variable("body", cel.DynType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.CrossTypeNumericComparisons(true), // body.load > 1 means what it says
		cel.OptionalTypes(cel.OptionalTypesVersion(2)),
		ext.Math(ext.MathVersion(2)),
		cel.ParserExpressionSizeLimit(textLimit),
		cel.RegexProgramSizeLimit(patternLimit),
	)...)
})

// An expression is a compiled CEL expression. The zero value is an absent one.
type expression struct {
	field   string // such as http.value, for messages
	text    string
	program cel.Program
}

// A yield is what an expression may yield.
type yield struct {
	says  string
	types []*cel.Type
}

// All allow a type known at evaluation only, which is what most of an answer is.
var (
	aNumber    = yield{"a number", []*cel.Type{cel.DoubleType, cel.IntType, cel.UintType, cel.DynType}}
	aTimestamp = yield{"a timestamp", []*cel.Type{cel.TimestampType, cel.DynType}}
	aVerdict   = yield{"a bool or a number", append([]*cel.Type{cel.BoolType}, aNumber.types...)}
)

// compile understands text, which must yield what is wanted as far as that is
// known before evaluation. The error names the field in its whole path: what
// it is in, such as "loads[backend].", and the field.
func compile(in, field, text string, want yield) (expression, error) {
	path := in + field
	c, err := compiledOf(text)
	if err != nil {
		return expression{}, fmt.Errorf("%s: %w", path, err)
	}
	if !slices.ContainsFunc(want.types, c.yields.IsExactType) {
		return expression{}, fmt.Errorf("%s: expected an expression that yields %s, this one yields %s", path, want.says, c.yields)
	}
	return expression{field: field, text: text, program: c.program}, nil
}

// compiled is what became of a text. It may be evaluated from anywhere at any time.
type compiled struct {
	program cel.Program
	yields  *cel.Type
}

// recent are the texts compiled last. Most LoadScalers of a cluster have one
// expression in common; a program takes 2 KB, and 0.2 ms to compile.
var recent = lru.New(1000)

// compiledOf compiles a text, unless it is known.
func compiledOf(text string) (compiled, error) {
	known, _ := recent.Get(text)
	if c, ok := known.(compiled); ok {
		return c, nil
	}
	env, err := environment()
	if err != nil {
		return compiled{}, fmt.Errorf("preparing CEL: %w", err)
	}
	checked, err := compileIn(env, text)
	if err != nil {
		return compiled{}, err
	}
	program, err := env.Program(checked, priced(costLimit)...)
	if err != nil {
		return compiled{}, err
	}
	c := compiled{program: program, yields: checked.OutputType()}
	recent.Add(text, c)
	return c, nil
}

// A measure says what to make of an answer: which number, and of what time.
type measure struct {
	value      expression // absent: the endpoint speaks in numbers
	observedAt expression // absent: the transport says how old an answer is
}

// texts tells one measure from another.
func (m measure) texts() [2]string { return [2]string{m.value.text, m.observedAt.text} }

// compileMeasure compiles a source's two expressions; an empty observedAt is
// absent. path is the source's in the spec, such as loads[backend].http.
func compileMeasure(path, value, observedAt string) (m measure, err error) {
	in, kind := path[:strings.LastIndex(path, ".")+1], path[strings.LastIndex(path, ".")+1:]
	m.value, err = compile(in, kind+".value", value, aNumber)
	if err != nil || observedAt == "" {
		return m, err
	}
	m.observedAt, err = compile(in, kind+".observedAt", observedAt, aTimestamp)
	return m, err
}

// judge returns the document's number and when it was true, or why it has none.
func (m measure) judge(d document) (value float64, at time.Time, err error) {
	if d.err != nil {
		return 0, time.Time{}, d.err
	}
	if value, err = m.number(d); err != nil {
		return 0, time.Time{}, err
	}
	if m.observedAt.program == nil {
		return value, d.at, nil
	}
	if at, err = m.observedAt.moment(d); err != nil {
		return 0, time.Time{}, err
	}
	return value, at, nil
}

func (m measure) number(d document) (float64, error) {
	if m.value.program != nil {
		return m.value.number(d)
	}
	if d.number == nil {
		return 0, invalid("expected a number, got none")
	}
	return sound(*d.number, "the answer is")
}

func (e expression) eval(d document) (ref.Val, error) {
	out, _, err := e.program.Eval(map[string]any{"body": d.body, "headers": d.headers})
	if err == nil {
		return out, nil
	}
	said, hint := err.Error(), ""
	if d.muted != nil {
		said = d.muted(said)
	}
	if strings.Contains(err.Error(), "no such overload") {
		hint = "; numbers of the answer are doubles: write 100.0, not 100, beside them"
	}
	return nil, invalid("%s: %s%s", e.field, printable(said, sentenceLimit), hint)
}

// number evaluates to a number that a load can be.
func (e expression) number(d document) (float64, error) {
	out, err := e.eval(d)
	if err != nil {
		return 0, err
	}
	return e.numeric(out)
}

// verdict evaluates to true, or to a number above 0.
func (e expression) verdict(d document) (bool, error) {
	out, err := e.eval(d)
	if err != nil {
		return false, err
	}
	if yes, ok := out.(types.Bool); ok {
		return bool(yes), nil
	}
	f, err := e.numeric(out)
	return f > 0, err
}

// numeric returns the finite number of 0 or more that was yielded. What else
// came is named by its type only: the rest of an answer is nobody's business.
func (e expression) numeric(out ref.Val) (float64, error) {
	var f float64
	switch v := out.(type) {
	case types.Double:
		f = float64(v)
	case types.Int:
		f = float64(v)
	case types.Uint:
		f = float64(v)
	case types.String:
		return 0, invalid("%s yielded a string, expected a number: wrap it, double(%s)", e.field, printable(e.text, excerptLimit))
	default:
		return 0, invalid("%s yielded %s, expected a number", e.field, typeName(v))
	}
	return sound(f, e.field+" yielded")
}

// sound returns a number that a load can be: finite, 0 or more. What it is said
// to be comes before it in the sentence.
func sound(f float64, says string) (float64, error) {
	switch {
	case math.IsNaN(f):
		return 0, invalid("%s NaN, expected a number", says)
	case math.IsInf(f, 0):
		return 0, invalid("%s a number without bounds, expected a finite one", says)
	case f < 0:
		return 0, invalid("%s %v, expected 0 or more", says, f)
	}
	return f, nil
}

// moment evaluates to a time not after the answer came.
func (e expression) moment(d document) (time.Time, error) {
	out, err := e.eval(d)
	if err != nil {
		return time.Time{}, err
	}
	var at time.Time
	switch v := out.(type) {
	case types.Timestamp:
		at = v.Time
	case types.String:
		return at, invalid("%s yielded a string, expected a timestamp: wrap it, timestamp(%s)", e.field, printable(e.text, excerptLimit))
	case types.Double, types.Int, types.Uint:
		return at, invalid("%s yielded a number, expected a timestamp: wrap it, timestamp(int(%s)) if it counts seconds since 1970", e.field, printable(e.text, excerptLimit))
	default:
		return at, invalid("%s yielded %s, expected a timestamp", e.field, typeName(v))
	}
	if at.IsZero() {
		return at, invalid("%s is the year 1, as of a time that was never set", e.field)
	}
	return notAhead(at, d.received, e.field)
}

// notAhead returns a reading's own time, which is not after its answer came.
// Clocks differ a little, so a time slightly ahead counts as now; further ahead,
// nothing can be said about the reading's age.
func notAhead(at, received time.Time, says string) (time.Time, error) {
	switch ahead := at.Sub(received); {
	case ahead > clockSkew:
		return at, invalid("%s is %s ahead of cusme's clock, so the age of the reading is unknown: check the clocks of both", says, ahead.Round(time.Second))
	case ahead > 0:
		return received, nil
	}
	return at, nil
}

// typeName names a CEL value's type with its article.
func typeName(v ref.Val) string {
	if v == types.NullValue {
		return "null"
	}
	return "a " + v.Type().TypeName()
}
