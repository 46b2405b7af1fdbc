variable "name" { type = string }
resource "terraform_data" "host" {
  input            = var.name
  triggers_replace = [var.name]
}
