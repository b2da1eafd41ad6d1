// Package cusme holds no code: it is where the project's generated files come from (go generate) and where its house
// rules stand as tests.
package cusme

//go:generate go tool controller-gen object paths=./api/...
//go:generate go tool controller-gen crd paths=./api/... output:crd:dir=config/crd
//go:generate go tool controller-gen rbac:roleName=cusme paths=./internal/controller/... output:rbac:dir=config/rbac
