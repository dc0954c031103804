# Players sign in by SRP: their passwords reach nobody. The access token that they get is the first of
# the two tokens; Nakama's session, or Sallyport's, is the second.
resource "aws_cognito_user_pool" "players" {
  name                     = "${var.name}-players"
  username_attributes      = ["email"]
  auto_verified_attributes = ["email"]
  mfa_configuration        = "OPTIONAL"
  deletion_protection      = "ACTIVE"

  username_configuration {
    case_sensitive = false
  }
  software_token_mfa_configuration {
    enabled = true
  }
  password_policy {
    minimum_length                   = 12
    require_lowercase                = false
    require_numbers                  = false
    require_symbols                  = false
    require_uppercase                = false
    temporary_password_validity_days = 1
  }
  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }
}

resource "aws_cognito_user_pool_client" "game" {
  name         = "${var.name}-game"
  user_pool_id = aws_cognito_user_pool.players.id

  # A game's client is public: a secret in it would be none.
  generate_secret     = false
  explicit_auth_flows = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]

  # A name that does not exist is refused as a wrong password is.
  prevent_user_existence_errors = "ENABLED"
  # Tokens then carry origin_jti, by which a whole sign-in can be revoked.
  enable_token_revocation = true

  # What Cognito has issued counts until it expires: keep it short. The library takes an hour at most.
  access_token_validity  = 15
  id_token_validity      = 15
  refresh_token_validity = 30
  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "days"
  }

  supported_identity_providers         = ["COGNITO"]
  allowed_oauth_flows_user_pool_client = length(var.callback_urls) > 0
  allowed_oauth_flows                  = length(var.callback_urls) > 0 ? ["code"] : null
  allowed_oauth_scopes                 = length(var.callback_urls) > 0 ? ["openid"] : null
  callback_urls                        = length(var.callback_urls) > 0 ? var.callback_urls : null
}
