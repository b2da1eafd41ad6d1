package load

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"cusme.dev/cusme/api/v1alpha1"
)

const (
	// formulaCost bounds one evaluation of a formula. All readings wait for it:
	// 10,000 units of CEL take about a millisecond, and adding up sixteen loads
	// costs less than a hundred.
	formulaCost = 10_000
	// allLoads is the name of the map that holds every load.
	allLoads = "loads"
)

// openExpression understands a formula; field is its path in the spec. Its terms
// are the loads beside it that are no formulas themselves.
func openExpression(p place, field, text string) (Source, error) {
	there := termsOf(p.loads)
	env, err := formulaEnvironment(there)
	if err != nil {
		return Source{}, fmt.Errorf("%s: preparing CEL: %w", field, err)
	}
	checked, err := compileIn(env, text)
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w%s", field, err, hintAt(err, there, p.loads))
	}
	if got := checked.OutputType(); !slices.ContainsFunc(aNumber.types, got.IsExactType) {
		return Source{}, fmt.Errorf("%s: expected a formula that yields a number, this one yields %s", field, got)
	}
	terms, err := used(checked, there)
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w%s", field, err, listed(there, p.loads))
	}
	program, err := env.Program(checked, priced(formulaCost)...)
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w", field, err)
	}
	return Source{formula: formula{expression{field: "expression", text: text, program: program}, terms}}, nil
}

func termsOf(loads []v1alpha1.Load) (there []term) {
	for _, l := range loads {
		if l.Expression != "" {
			continue
		}
		t := term{load: l.Name}
		if l.StaleAfter != nil {
			t.staleAfter = l.StaleAfter.Duration
		}
		there = append(there, t)
	}
	return there
}

// formulaEnvironment is what a formula may use: each load by its name, where that
// is an identifier, and all of them by loads["gpu-queue"]. Versions are pinned, as
// in environment.
func formulaEnvironment(there []term) (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.Variable(allLoads, cel.MapType(cel.StringType, cel.DoubleType)),
		cel.CrossTypeNumericComparisons(true),
		ext.Math(ext.MathVersion(2)),
		cel.ParserExpressionSizeLimit(textLimit),
		cel.RegexProgramSizeLimit(patternLimit),
	}
	for _, t := range there {
		if t.identifier() {
			options = append(options, cel.Variable(t.load, cel.DoubleType))
		}
	}
	return cel.NewEnv(options...)
}

// reserved are the words that CEL keeps for itself, as far as they are in
// lower-case letters (cel-spec, langdef.md, "Syntax").
var reserved = strings.Fields(`as break const continue else false for function if import in let loop namespace null
	package return true var void while`)

// identifier reports whether CEL reads the load's name as one. Names are
// lower-case letters, digits and hyphens.
func (t term) identifier() bool {
	return !slices.Contains(reserved, t.load) && t.load != allLoads && !strings.Contains(t.load, "-") && strings.Trim(t.load[:min(1, len(t.load))], "0123456789") != ""
}

// written is how a formula writes the load.
func (t term) written() string {
	if t.identifier() {
		return t.load
	}
	return fmt.Sprintf("%s[%q]", allLoads, t.load)
}

// used returns the terms that a formula refers to, in the order of the loads.
func used(checked *cel.Ast, there []term) (terms []term, err error) {
	r := referencesOf(checked.NativeRep().Expr())
	for _, t := range there {
		if r.whole || r.keys[t.load] || t.identifier() && r.identifiers[t.load] {
			terms = append(terms, t)
		}
		delete(r.keys, t.load)
	}
	for unknown := range r.keys {
		return nil, fmt.Errorf("%s[%q] is no load", allLoads, unknown)
	}
	if len(terms) == 0 {
		return nil, errors.New("expected a formula that uses a load, this one uses none")
	}
	return terms, nil
}

// references are the names in a formula. A variable of a macro that is called
// as a load is taken for that load: a term too many does no harm.
type references struct {
	identifiers map[string]bool
	keys        map[string]bool // x in loads["x"] and loads.x
	whole       bool            // loads is used in another way
}

func referencesOf(root ast.Expr) references {
	r, picked := references{identifiers: map[string]bool{}, keys: map[string]bool{}}, map[int64]bool{}
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if of, key, ok := pick(e); ok {
			r.keys[key], picked[of] = true, true
		}
		if isLoads(e) && !picked[e.ID()] {
			r.whole = true
		}
		if e.Kind() == ast.IdentKind {
			r.identifiers[e.AsIdent()] = true
		}
	}))
	return r
}

// pick understands loads["x"] and loads.x: the key, and the id of the loads in it.
func pick(e ast.Expr) (of int64, key string, ok bool) {
	switch e.Kind() {
	case ast.SelectKind:
		of := e.AsSelect().Operand()
		return of.ID(), e.AsSelect().FieldName(), isLoads(of)
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || !isLoads(call.Args()[0]) || call.Args()[1].Kind() != ast.LiteralKind {
			return 0, "", false
		}
		text, ok := call.Args()[1].AsLiteral().(types.String)
		return call.Args()[0].ID(), string(text), ok
	}
	return 0, "", false
}

func isLoads(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == allLoads }

// hintAt says how to mend the commonest mistakes.
func hintAt(err error, there []term, loads []v1alpha1.Load) string {
	switch text := err.Error(); {
	case strings.Contains(text, "found no matching overload"):
		return "; loads are doubles: write 100.0, not 100, beside them"
	case strings.Contains(text, "undeclared reference"):
		return listed(there, loads)
	}
	return ""
}

// listed says which loads a formula may use.
func listed(there []term, loads []v1alpha1.Load) string {
	if len(there) == 0 {
		return "; there is no other load: expected one that is read, such as by http"
	}
	var names []string
	for _, t := range there {
		names = append(names, t.written())
	}
	says := "; expected one of " + strings.Join(names, ", ")
	if len(there) < len(loads)-1 {
		says += "; expressions are not available in expressions"
	}
	return says
}
