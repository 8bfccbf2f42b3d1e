"""What travels: the protos of the own gRPC interface, their stubs, and converters that need protobuf alone."""
