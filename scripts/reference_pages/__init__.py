"""The pages of the reference, each made of what some part of the code says about itself."""
