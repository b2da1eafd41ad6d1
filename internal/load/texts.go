package load

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"
)

// boundedReplace stands for replace in a parsed expression. Nobody can write it.
const boundedReplace = "@replace"

// texts adds the functions of texts that look at them or cut them. No load needs
// join or format, which make long texts of short ones: the first version of the
// library has no format yet. What replace makes is no longer than an answer may
// be.
func texts() []cel.EnvOption {
	text := func(n int) []*cel.Type {
		return []*cel.Type{cel.StringType, cel.StringType, cel.StringType, cel.IntType}[:n]
	}
	return []cel.EnvOption{
		ext.Strings(ext.StringsVersion(0)),
		cel.Macros(cel.ReceiverMacro("replace", 2, toBounded), cel.ReceiverMacro("replace", 3, toBounded)),
		cel.Macros(cel.ReceiverMacro("join", 0, refused), cel.ReceiverMacro("join", 1, refused)),
		cel.Function(boundedReplace,
			cel.Overload("bounded_replace", text(3), cel.StringType, cel.FunctionBinding(replaced)),
			cel.Overload("bounded_replace_times", text(4), cel.StringType, cel.FunctionBinding(replaced)),
		),
	}
}

func toBounded(f cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	return f.NewCall(boundedReplace, append([]ast.Expr{target}, args...)...), nil
}

func refused(f cel.MacroExprFactory, target ast.Expr, _ []ast.Expr) (ast.Expr, *cel.Error) {
	return nil, f.NewError(target.ID(), "join is not available, because what it makes has no bounds")
}

// replaced replaces in its first argument, the second by the third, everywhere
// or as often as the fourth says.
func replaced(args ...ref.Val) ref.Val {
	text, before, after := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
	times := strings.Count(text, before)
	if len(args) == 4 && args[3].(types.Int) >= 0 {
		times = int(min(args[3].(types.Int), types.Int(times)))
	}
	if len(text)+times*(len(after)-len(before)) > bodyLimit {
		return types.NewErr("replace would make a text of more than %d KiB", bodyLimit>>10)
	}
	return types.String(strings.Replace(text, before, after, times))
}

// textCosts counts one unit for ten characters or elements that come or go, as
// CEL does for its own functions of texts. CEL takes each of these for one unit.
func textCosts() cel.ProgramOption {
	passed := func(args []ref.Val, result ref.Val) *uint64 {
		units := uint64(1)
		for _, v := range append(args, result) {
			if sized, ok := v.(traits.Sizer); ok {
				n, _ := sized.Size().(types.Int)
				units += uint64(n) / 10
			}
		}
		return &units
	}
	var trackers []cost.TrackerOption
	for _, overload := range []string{
		"string_char_at_int", "string_index_of_string", "string_index_of_string_int", "string_last_index_of_string",
		"string_last_index_of_string_int", "string_lower_ascii", "string_upper_ascii", "string_split_string", "string_split_string_int",
		"string_substring_int", "string_substring_int_int", "string_trim", "bounded_replace", "bounded_replace_times",
	} {
		trackers = append(trackers, cost.OverloadTracker(overload, passed))
	}
	return cel.CostTrackerOptions(trackers...)
}
