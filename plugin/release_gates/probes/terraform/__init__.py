"""What a Terraform plan would do, judged by rules, before anybody applies it."""
