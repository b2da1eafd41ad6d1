// Package externalscaler speaks KEDA's external scaler protocol: a client, and a
// server for tests, generated from externalscaler.proto by make proto.
package externalscaler

//go:generate sh -c "protoc --plugin=$(go tool -n protoc-gen-go) --plugin=$(go tool -n protoc-gen-go-grpc) --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative externalscaler.proto"
