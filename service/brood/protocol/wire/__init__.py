"""What travels: the protos of the gRPC interfaces, their stubs, and converters that need protobuf alone."""
