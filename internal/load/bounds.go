package load

import (
	"errors"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// patternLimit bounds a pattern, in instructions of the program that Go makes of
// it. Each character of a text may be looked at by each of them, and the call is
// charged when it is over: the dearest pattern takes 0.75 s for a text of 900 kB,
// once, and then the evaluation ends.
const patternLimit = 50

// priced are the bounds of one evaluation, which whoever writes a LoadScaler
// may choose to be as dear as possible. CEL charges a call when it is over, and
// takes most calls for one unit where it does not know their types before.
func priced(limit uint64) []cel.ProgramOption {
	return []cel.ProgramOption{cel.CostLimit(limit), cel.CostTracking(costs{}), cel.CustomDecoratorV2(guard)}
}

// compileIn parses and checks a text. The error names no field.
func compileIn(env *cel.Env, text string) (*cel.Ast, error) {
	parsed, issues := env.Parse(text)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	untype(parsed.NativeRep())
	checked, issues := env.Check(parsed)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	return checked, checkBounds(checked)
}

// untype has the variables of map, filter and the like take any type. With their
// own, that of [1].map(x, {x: x}).map(x, {x: x})… is written in 2^n words after n
// steps, which nothing bounds.
func untype(parsed *ast.AST) {
	factory, id := ast.NewExprFactory(), ast.MaxID(parsed)
	dynamic := func(e ast.Expr) ast.Expr {
		id++
		return factory.NewCall(id, overloads.TypeConvertDyn, e)
	}
	ast.PostOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.ComprehensionKind {
			return
		}
		c := e.AsComprehension()
		over, begin := dynamic(c.IterRange()), c.AccuInit()
		if begin.Kind() == ast.CallKind { // of optMap, whose variable is what is added up
			begin = dynamic(begin)
		}
		e.SetKindCase(factory.NewComprehension(e.ID(), over, c.IterVar(), c.AccuVar(), begin, c.LoopCondition(), c.LoopStep(), c.Result()))
	}))
}

// checkBounds refuses what is dear before it can be charged: the message of an
// optional entry that is none repeats what it is instead, in whole, and a
// pattern that is not known before is compiled again each time.
func checkBounds(checked *cel.Ast) (err error) {
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch {
		case hasOptionalEntry(e):
			err = errors.New("entries of lists and maps that are optional, [?a] and {?\"a\": a}, are not available")
		case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == overloads.Matches && !isPattern(e.AsCall()):
			err = errors.New("matches: expected a pattern that is written there, such as \"^ok\"")
		}
	}))
	return err
}

func hasOptionalEntry(e ast.Expr) bool {
	switch e.Kind() {
	case ast.ListKind:
		return len(e.AsList().OptionalIndices()) > 0
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			if entry.AsMapEntry().IsOptional() {
				return true
			}
		}
	}
	return false
}

// isPattern reports whether the last argument of matches is a literal.
func isPattern(matches ast.CallExpr) bool {
	args := matches.Args()
	return len(args) > 0 && args[len(args)-1].Kind() == ast.LiteralKind
}

// guard has operators refuse lists and maps. A list that holds another twice,
// which holds another twice, takes 2^n comparisons after n steps, and one that is
// added to itself grows as fast. No load needs either.
func guard(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := i.(interpreter.InterpretableCall)
	if !ok || len(call.Args()) != 2 {
		return i, nil
	}
	apply, ok := operations[call.Function()]
	if !ok {
		return i, nil
	}
	return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), func(args ...ref.Val) ref.Val {
		return apply(args[0], args[1])
	}), nil
}

// operations are what guard makes of operators: what CEL does, and refusals.
var operations = map[string]func(a, b ref.Val) ref.Val{
	operators.Equals: func(a, b ref.Val) ref.Val {
		if isNested(a) && isNested(b) {
			return unavailable("==")
		}
		return types.Equal(a, b)
	},
	operators.NotEquals: func(a, b ref.Val) ref.Val {
		if isNested(a) && isNested(b) {
			return unavailable("!=")
		}
		return types.Bool(types.Equal(a, b) != types.True)
	},
	operators.In: func(a, b ref.Val) ref.Val {
		container, ok := b.(traits.Container)
		switch {
		case !ok:
			return types.MaybeNoSuchOverloadErr(b)
		case isNested(a):
			return unavailable("in")
		}
		return container.Contains(a)
	},
	operators.Add: func(a, b ref.Val) ref.Val {
		_, list := a.(traits.Lister)
		_, result := a.(traits.MutableLister) // of map or filter, which add to it
		adder, ok := a.(traits.Adder)
		switch {
		case !ok:
			return types.MaybeNoSuchOverloadErr(a)
		case list && !result:
			return types.NewErr("+ of lists is not available: give sum or avg to each, and add what they yield")
		}
		return adder.Add(b)
	},
}

// isNested reports whether a value may hold others.
func isNested(v ref.Val) bool {
	switch v.(type) {
	case traits.Lister, traits.Mapper, *types.Optional:
		return true
	}
	return false
}

func unavailable(operator string) ref.Val {
	return types.NewErr("%s of lists, maps and optionals is not available: compare what they hold", operator)
}

// costs charges each call one unit, and for what it goes through: one for an
// element, one for a hundred characters, and one for each character that is
// matched with a pattern. That is some 100 ns each.
type costs struct{}

// zoneUnits is what a time zone costs by its name: its file is read each time,
// which takes as long as a hundred steps.
const zoneUnits = 100

// CallCost charges one call.
func (costs) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	units := uint64(1)
	switch {
	case function == operators.In && len(args) == 2:
		units += extent(args[1]) * (1 + extent(args[0]))
	case function == overloads.Matches && len(args) > 0:
		units += 100 * extent(args[0])
	case len(args) == 2 && args[0].Type() == types.TimestampType && args[1].Type() == types.StringType:
		units += zoneUnits
	case function == overloads.TypeConvertDyn:
		// It is the same value.
	case function == overloads.Size && len(args) > 0 && isNested(args[0]):
		// It is known.
	default:
		for _, v := range args {
			units += extent(v)
		}
		units += extent(result)
	}
	return &units
}

// extent is how much a value is to go through.
func extent(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v)+99) / 100
	case types.Bytes:
		return uint64(len(v)+99) / 100
	case traits.MutableLister:
		return 0 // it is added to
	case traits.Lister:
		n, _ := v.Size().(types.Int)
		return uint64(n)
	}
	return 0
}
