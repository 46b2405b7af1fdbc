terraform {
  required_version = ">= 1.5"
}

variable "licence" {
  type      = string
  sensitive = true
}

module "host" {
  for_each = toset(["a", "b"])
  source   = "./module"
  name     = "${each.key}-2"
}

resource "terraform_data" "journal" {
  input = { size = 500, licence = var.licence }
}

resource "terraform_data" "derived" {
  input = module.host["a"]
}

check "journal" {
  assert {
    condition     = terraform_data.journal.output.size == 500
    error_message = "the journal has another size"
  }
}
